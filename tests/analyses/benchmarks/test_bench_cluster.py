import json

from dva_lens.analyses.benchmarks import bench_cluster

from dva_lens.study.definition import Study


def test_the_outcome_and_the_exit_code(monkeypatch, capsys):
    times = bench_cluster.ClusterOutcome(8, 1.0, 1.5, 1.5, bench_cluster.BOUND, [(1.0, 1.5)])
    monkeypatch.setattr(bench_cluster, "outcome_of", lambda *_, **__: times)
    assert bench_cluster.main(["--pairs", "1", "--json", "--check"]) == 1
    (case,) = json.loads(capsys.readouterr().out)["cases"]
    assert not case["holds"]
    assert "BROKEN (bound 1.7)" in bench_cluster.table(times)[1]


def test_the_study_is_of_eight_runs():
    study = Study.from_dict(bench_cluster.STUDY)
    assert len(study.presets) * len(study.seeds) == 8
