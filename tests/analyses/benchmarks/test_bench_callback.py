import json

import pytest
from dva_lens.analyses.benchmarks import bench_callback

from dva_lens.models.size import Size


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Train the smallest model there is instead of that of the quick study."""
    quick = {
        "size": {"layers": 1, "width": 8, "heads": 1, "vocabulary": 32, "context": 8},
        "recipe": {"batch": 2},
    }
    assert Size(**quick["size"])
    monkeypatch.setattr(bench_callback, "STUDIES", {"quick": quick})


def test_raw_pairs_versions_and_the_exit_code(capsys):
    code = bench_callback.main(["--pairs", "2", "--steps", "10", "--json", "--check"])
    found = json.loads(capsys.readouterr().out)
    (case,) = found["cases"]
    assert case["measurements"] >= bench_callback.FEWEST
    assert all(first < second for first, second in case["pairs"])
    assert len(case["pairs"]) == 2
    assert code == 1  # steps of so small a model take less than any measurement
    assert case["holds"] is False
    assert {"versions", "machine"} <= set(found)
