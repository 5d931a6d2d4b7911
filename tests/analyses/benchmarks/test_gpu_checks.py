"""The checks of a GPU where there is none: what they would do, how results are kept and merged."""

import json
import subprocess
import sys

import pytest
import torch
from dva_lens.analyses.benchmarks import (
    gpu_checks,
    gpu_kernels,
    gpu_ledger,
    gpu_running,
    gpu_table,
)
from dva_lens.analyses.benchmarks.gpu_ledger import Ledger
from dva_lens.analyses.benchmarks.gpu_running import Limits, run_all

from dva_lens.kernels.fused.guards import installed

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
MACHINE = {"hardware": {"gpu": "a fast one"}, "versions": {"torch": "9"}}
SPEAKER = """
import json, sys, time
for name in sys.argv[1:]:
    if name == "dies":
        sys.exit("it broke")
    if name == "hangs":
        time.sleep(60)
    print(json.dumps({"name": name, "result": {"holds": name != "wrong", "ms": 3}}), flush=True)
"""


@pytest.fixture
def speaking(monkeypatch):
    """Let a small program stand in for the process that makes the checks."""
    monkeypatch.setattr(
        gpu_running, "command", lambda names: [sys.executable, "-c", SPEAKER, *names]
    )
    monkeypatch.setattr(gpu_ledger, "sources", lambda name: "these")


@pytest.fixture
def on_a_gpu(monkeypatch, speaking):
    monkeypatch.setattr(gpu_checks, "here", lambda: MACHINE)
    names = [["forward/a", "wrong"], ["dies", "forward/b"], ["speed/c"]]
    monkeypatch.setattr(gpu_checks, "groups", lambda: names)


def test_without_a_gpu_it_says_what_it_would_do(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(gpu_checks, "here", lambda: None)
    assert gpu_checks.main(["--out", str(tmp_path / "none.json")]) == 0
    said = capsys.readouterr().out
    assert said.startswith("There is no NVIDIA GPU")
    for name in ("forward/sink-padded/bfloat16", "speed/attention/131072", "training/dva\n"):
        assert f"  {name}" in said
    assert not (tmp_path / "none.json").exists()


def test_every_check_that_is_listed_can_be_found():
    names = [name for group in gpu_table.groups() for name in group]
    assert len(names) == len(set(names))
    for name in names:
        if not name.startswith(("speed", "training")):
            assert callable(gpu_table.check_of(name))
    with pytest.raises(KeyError, match="Unknown check 'flight/of/fancy'"):
        gpu_table.check_of("flight/of/fancy")


@pytest.mark.usefixtures("on_a_gpu")
def test_a_check_that_fails_costs_nothing_else(capsys, tmp_path):
    out = tmp_path / "docs" / "found.json"
    assert gpu_checks.main(["--out", str(out)]) == 1
    held = json.loads(out.read_text())
    assert {name: held[name] for name in MACHINE} == MACHINE
    assert held["checks"]["forward/b"] == {"holds": True, "ms": 3, "sources": "these"}
    assert "it broke" in held["checks"]["dies"]["error"]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["holds", "DOES", "FAILED:", "holds", "holds"]


@pytest.mark.usefixtures("on_a_gpu")
def test_what_is_written_down_is_not_run_again(monkeypatch, tmp_path, capsys):
    out = str(tmp_path / "found.json")
    gpu_checks.main(["--out", out])
    asked = []
    monkeypatch.setattr(gpu_checks, "run_all", lambda names, keep, limits: asked.extend(names))
    gpu_checks.main(["--out", out])
    assert asked == ["dies"]
    gpu_checks.main(["--out", out, "--again", "--only", "forward/*"])
    assert asked == ["dies", "forward/a", "forward/b"]
    monkeypatch.setattr(gpu_ledger, "sources", lambda name: "others")
    capsys.readouterr()
    gpu_checks.main(["--out", out, "--list"])
    assert "5 checks to run, 0 written down" in capsys.readouterr().out


@pytest.mark.usefixtures("speaking")
def test_results_of_another_machine_are_dropped(tmp_path):
    path = tmp_path / "found.json"
    ledger = Ledger.open(path)
    ledger.begin(MACHINE)
    ledger.keep("forward/a", {"holds": True})
    again = Ledger.open(path)
    again.begin(MACHINE)
    assert again.holds("forward/a")
    again.begin({**MACHINE, "versions": {"torch": "10"}})
    assert not again.has("forward/a")


@pytest.mark.usefixtures("speaking")
def test_a_check_that_hangs_is_ended_and_the_next_one_runs():
    found = {}
    limits = Limits(until=Limits.of(30.0).until, longest=1.0)
    run_all(["hangs", "forward/a"], found.__setitem__, limits)
    assert found["hangs"]["error"].startswith("killed after 1 s")
    assert found["forward/a"]["holds"]


@pytest.mark.usefixtures("speaking")
def test_nothing_starts_when_time_is_up():
    found = {}
    run_all(["forward/a"], found.__setitem__, Limits.of(0.0))
    run_all(["hangs", "forward/a"], found.__setitem__, Limits.of(0.5))
    assert found == {}


@pytest.mark.skipif(not installed(), reason="Triton is not installed")
def test_the_kernels_are_checked_as_they_are():
    settings = {"lengths": (5,), "device": DEVICE}
    for rule in ("packed", "sink-padded", "bias-of-keys"):
        found = gpu_kernels.forward(rule, widths=(16, 24), **settings)
        assert found["holds"], found
        assert set(found["worst"]) >= {"output", "entropy", "received", "largest"}
    assert gpu_kernels.forward("causal", "separable", dtype="float16", **settings)["holds"]
    assert gpu_kernels.gradients("softcap", width=16, **settings)["holds"]


@pytest.mark.skipif(not installed(), reason="Triton is not installed")
def test_a_kernel_that_is_wrong_does_not_hold(monkeypatch):
    right = gpu_kernels.BACKENDS["fused"]

    def wrong(*arguments):
        output, found = right(*arguments)
        return output * (1 + 1e-4), found

    monkeypatch.setitem(gpu_kernels.BACKENDS, "fused", wrong)
    found = gpu_kernels.forward("causal", widths=(16, 16), lengths=(9,), device=DEVICE)
    assert not found["holds"]
    assert found["worst"]["output"] > 10


@pytest.mark.skipif(not installed(), reason="Triton is not installed")
def test_the_kernels_need_no_jaxtyping():
    code = (
        "import sys; sys.modules['jaxtyping'] = None\n"
        "from dva_lens.analyses.benchmarks import gpu_table\n"
        "gpu_table.stand_in_for_shapes()\n"
        "from dva_lens.analyses.benchmarks import gpu_kernels\n"
        "assert gpu_kernels.forward('causal', lengths=(3,), device='cpu')['holds']\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
