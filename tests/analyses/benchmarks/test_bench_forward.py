import json

import pytest
from dva_lens.analyses.benchmarks import bench_forward
from dva_lens.analyses.benchmarks.bench_forward import PassCase, main
from families import family


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(bench_forward, "CASES", (PassCase(24, 1, 1e9, 50.0),))
    monkeypatch.setattr(bench_forward, "model_of", lambda case: family("gpt2"))
    monkeypatch.setattr(bench_forward, "peak_growth", lambda prepare, *arguments: 12.5)


def test_a_table_says_what_was_measured_and_what_was_asked(capsys):
    assert main(["--pairs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "holds" in lines[1]
    assert "12.5" in lines[1]


def test_a_broken_bound_fails_where_it_is_checked(capsys, monkeypatch):
    monkeypatch.setattr(bench_forward, "CASES", (PassCase(24, 1, 0.0, 50.0),))
    assert main(["--pairs", "1"]) == 0
    assert main(["--pairs", "1", "--check", "--json"]) == 1
    found = json.loads(capsys.readouterr().out.partition("\n{")[2].join(["{", ""]))
    assert found["cases"][0]["length"] == 24
    assert not found["cases"][0]["holds"]


def test_what_is_prepared_measures():
    bench_forward.prepared(PassCase(24, 1, 1.0, 1.0), "auto")()
