import json

import pytest
from dva_lens.analyses.benchmarks import bench_measure, timing
from dva_lens.analyses.benchmarks.bench_measure import MeasureCase, main
from families import family


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(bench_measure, "CASES", (MeasureCase(1, 1e9), MeasureCase(2, 0.0)))
    monkeypatch.setattr(bench_measure, "model_of", lambda: family("llama"))
    monkeypatch.setattr(bench_measure, "LENGTH", 24)


def test_a_broken_bound_fails_where_it_is_checked(capsys):
    assert main(["--pairs", "1", "--check", "--sequences", "1"]) == 0
    assert main(["--pairs", "1", "--sequences", "2"]) == 0
    assert main(["--pairs", "1", "--check"]) == 1
    assert "BROKEN" in capsys.readouterr().out


def test_what_is_left_behind_holds_every_pair_the_machine_and_versions(tmp_path, capsys):
    out = tmp_path / "found.json"
    assert main(["--pairs", "2", "--clock", "process", "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert [len(each["pairs"]) for each in found["cases"]] == [2, 2]
    assert found["clock"] == "process"
    assert 0 < found["machine"]["share_of_a_core"] <= 1.05
    assert set(timing.VERSIONS) < set(found["versions"])
    assert "sequences" in capsys.readouterr().out


def test_what_is_timed_is_the_default_call(monkeypatch):
    asked = []
    monkeypatch.setattr(bench_measure, "measure", lambda *given, **named: asked.append(named))
    bench_measure.calls(family("llama"), MeasureCase(2, 1.0))[1]()
    assert asked == [{}]
