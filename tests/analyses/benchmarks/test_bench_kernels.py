"""The benchmarks of the kernels: they compare like with like, and print what they found."""

import json

import pytest
import torch
from dva_lens.analyses.benchmarks import bench_dva, bench_recorder
from dva_lens.analyses.benchmarks.timing import paired


def test_pairs_alternate_and_the_ratio_is_of_pairs(monkeypatch):
    order, clock = [], iter([0.0, 1.0, 1.0, 3.0, 3.0, 6.0, 6.0, 7.0])
    monkeypatch.setattr(
        "dva_lens.analyses.benchmarks.timing.time.perf_counter", lambda: next(clock)
    )
    found = paired(lambda: order.append("a"), lambda: order.append("b"), 2)
    assert order == ["a", "b", "a", "b", "b", "a"]
    assert found.pairs == [(1.0, 2.0), (1.0, 3.0)]
    assert found.ratio == 2.5


def test_every_way_of_recording_finds_the_same():
    output = bench_recorder.prepare("sdpa", 70)()
    in_full = bench_recorder.prepare("materialised", 70)()
    torch.testing.assert_close(in_full[0], output, rtol=1e-4, atol=1e-5)
    for way in ("blocked", "exact"):
        ours, summary = bench_recorder.prepare(way, 70)()
        torch.testing.assert_close(ours, output, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(summary.entropy, in_full[1], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(summary.received, in_full[-1], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(summary.value_norm, in_full[-3], rtol=1e-4, atol=1e-5)


def test_a_mask_is_timed_against_the_closed_form_that_sees_the_same():
    for way, beside in bench_recorder.BESIDE.items():
        ours, summary = bench_recorder.prepare(way, 300)()
        output, closed = bench_recorder.prepare(beside, 300)()
        torch.testing.assert_close(ours, output, rtol=1e-4, atol=1e-5)
        assert torch.equal(summary.visible.expand_as(closed.visible), closed.visible)


def test_patterns_that_would_not_fit_are_left_out():
    assert bench_recorder.fits("materialised", 2048)
    assert not bench_recorder.fits("materialised", 16384)
    assert bench_recorder.fits("blocked", 131072)


@pytest.mark.parametrize("bench", [bench_recorder, bench_dva])
def test_tables_and_json(bench, monkeypatch, capsys):
    monkeypatch.setattr(bench, "peak_growth", lambda *arguments: 8.0)
    monkeypatch.setattr(bench_dva, "CASES", (bench_dva.BlockCase(1, 9, 4),))
    size = ["--lengths", "9"] if bench is bench_recorder else []
    assert bench.main([*size, "--pairs", "1"]) == 0
    assert "tokens" in capsys.readouterr().out
    assert bench.main([*size, "--pairs", "1", "--json"]) == 0
    cases = json.loads(capsys.readouterr().out)["cases"]
    assert all(case["length"] == 9 and case["holds"] for case in cases)


def test_a_broken_bound_fails_the_check(monkeypatch, capsys):
    monkeypatch.setattr(bench_dva, "peak_growth", lambda *arguments: 8.0)
    monkeypatch.setattr(bench_dva, "CASES", (bench_dva.BlockCase(1, 9, 4, smaller=30.0),))
    assert bench_dva.main(["--pairs", "1", "--check"]) == 1
    assert "BROKEN" in capsys.readouterr().out
