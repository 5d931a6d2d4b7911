"""The benchmark of the explorer drives a real browser and compares what it finds with bounds."""

import json

import pytest
from dva_lens.analyses.benchmarks import bench_explorer
from dva_lens.analyses.benchmarks.bench_explorer import BOUNDS, ExplorerOutcome, main


def outcome_of(**found):
    numbers = dict.fromkeys(BOUNDS, 0.0) | found
    return ExplorerOutcome("4x4", 128, numbers, {"beside": 1.0}, {"start": [1.0, 2.0]})


@pytest.mark.parametrize(("slow", "code"), [({}, 0), ({"start [s]": 3.1}, 1)])
def test_a_broken_bound_fails_where_it_is_checked(monkeypatch, capsys, tmp_path, slow, code):
    monkeypatch.setattr(bench_explorer, "outcome", lambda *_: outcome_of(**slow))
    out = tmp_path / "found.json"
    assert main(["--cases", "4x4", "--check", "--out", str(out)]) == code
    assert main(["--cases", "4x4"]) == 0
    assert ("BROKEN" in capsys.readouterr().out) == bool(code)
    found = json.loads(out.read_text())
    assert found["cases"][0]["samples"] == {"start": [1.0, 2.0]}
    assert {"dash", "plotly", "torch"} < set(found["versions"])
    assert 0 < found["machine"]["share_of_a_core"] <= 1.05
