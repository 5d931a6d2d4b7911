import json

from dva_lens.analyses.benchmarks import bench_callback

from dva_lens.models.size import Size


def test_raw_pairs_versions_and_the_exit_code(monkeypatch, capsys):
    small = Size(layers=1, width=8, heads=1, vocabulary=32, context=8)
    monkeypatch.setattr(bench_callback, "SIZE", small)
    code = bench_callback.main(["--pairs", "2", "--timed", "5", "--json", "--check"])
    found = json.loads(capsys.readouterr().out)
    (case,) = found["cases"]
    assert case["measurements"] >= bench_callback.FEWEST
    assert all(first < second for first, second in case["pairs"])
    assert len(case["pairs"]) == 2
    assert code == int(not case["holds"])
    assert case["holds"] is (case["ratio"] <= bench_callback.BOUND)
    assert {"versions", "machine"} <= set(found)
