import pytest
from dva_lens.analyses.benchmarks import bench_busy, bench_measure
from dva_lens.analyses.benchmarks.bench_busy import busy_core, main
from families import family


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(bench_busy, "model_of", lambda: family("llama"))
    monkeypatch.setattr(bench_measure, "LENGTH", 24)


def test_a_broken_bound_fails_where_it_is_checked(capsys, monkeypatch):
    monkeypatch.setattr(bench_busy, "GROWTH", 0.0)
    assert main(["--pairs", "1"]) == 0
    assert main(["--pairs", "1", "--check"]) == 1
    assert "BROKEN" in capsys.readouterr().out


def test_a_core_is_held_until_the_context_ends(monkeypatch):
    started = []
    popen = bench_busy.subprocess.Popen
    monkeypatch.setattr(
        bench_busy.subprocess, "Popen", lambda *given, **named: _kept(started, popen, given, named)
    )
    with busy_core():
        assert started[0].poll() is None
    assert started[0].poll() is not None


def _kept(started, popen, given, named):
    started.append(popen(*given, **named))
    return started[-1]
