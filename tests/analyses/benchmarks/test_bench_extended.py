import json

import pytest
from dva_lens.analyses.benchmarks import bench_extended
from dva_lens.analyses.benchmarks.bench_extended import main
from families import family

from dva_lens.statistics.table import STATISTICS


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(bench_extended, "model_of", lambda: family("gpt2"))
    monkeypatch.setattr(bench_extended, "LENGTH", 24)
    monkeypatch.setattr(bench_extended, "THREADS", 1)


def test_a_broken_bound_fails_where_it_is_checked(capsys, monkeypatch, tmp_path):
    out = tmp_path / "found.json"
    assert main(["--pairs", "1", "--check", "--out", str(out)]) == 0
    assert len(json.loads(out.read_text())["cases"][0]["pairs"]) == 1
    monkeypatch.setattr(bench_extended, "SECONDS", 0.0)
    assert main(["--pairs", "1", "--check"]) == 1
    assert "BROKEN" in capsys.readouterr().out


def test_every_statistic_is_timed(monkeypatch):
    asked = []
    monkeypatch.setattr(bench_extended, "measure", lambda *given, **named: asked.append(named))
    bench_extended.outcome(family("gpt2"), 8, 1, "wall")
    assert {} in asked
    assert set(max(asked, key=len)["statistics"]) == set(STATISTICS)
