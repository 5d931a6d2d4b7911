"""Commands under their former names still run, and say the new one."""

import subprocess
import sys
from pathlib import Path

import pytest
from dva_lens.analyses import moved

FORMER = sorted(path.stem for path in Path(moved.PLACE).glob("[!_]*.py"))
NEW = {"check_calibration": "benchmarks.calibration", "mechanism_table": "pages.mechanisms"}


def test_documented_commands_are_among_them():
    assert {"bench_dva", "gpu_checks", "known_answers", "statistics_page", *NEW} <= set(FORMER)


@pytest.mark.parametrize("name", NEW)
def test_a_former_name_runs_and_says_the_new_one(name):
    done = subprocess.run(
        [sys.executable, "-m", f"dva_lens.analyses.{name}", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"This command is now `python -m dva_lens.analyses.{NEW[name]}`.\n" in done.stderr
    assert done.returncode == 0
    assert done.stdout


@pytest.mark.parametrize("name", FORMER)
def test_every_former_name_leads_to_a_command(name, monkeypatch):
    led = []
    monkeypatch.setattr(moved.runpy, "run_module", lambda module, **_: led.append(module))
    source = (Path(moved.PLACE) / f"{name}.py").read_text()
    exec(  # the script as `python -m` runs it
        compile(source, name, "exec"), {"__name__": "__main__", "__package__": "dva_lens.analyses"}
    )
    (module,) = led
    folder = Path(moved.PLACE).parent
    assert (folder / f"{module.removeprefix('dva_lens.analyses.').replace('.', '/')}.py").exists()
