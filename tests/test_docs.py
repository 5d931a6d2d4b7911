"""The pages that show code run as they stand, every block in a process of its own."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from small_text import small_corpus

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMAND = (sys.executable, "-m", "dva_lens.cli")


def run(words, folder):
    """Run one command in a process of its own and return what it says."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    environment.pop("DVA_LENS_IMPORT", None)
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{shlex.join(map(str, words))}\n{done.stderr}"
    return done.stdout


def execute(kind, text, folder):
    """Write the file of a block, and run what can be run; return what was said by command."""
    if kind == "console":
        commands = [line.removeprefix("$ ") for line in text.splitlines()]
        assert all(command.startswith("dva-lens ") for command in commands)
        words = [[*COMMAND, *shlex.split(command)[1:]] for command in commands]
        return {command: run(each, folder) for command, each in zip(commands, words, strict=True)}
    if kind in ("python", "yaml"):
        name = re.match(r"# (\w+\.(?:py|yaml))\n", text)
        assert name, f"the block must begin with the name of its file: {text[:40]!r}"
        (folder / name[1]).write_text(text)
        return {name[1]: run([sys.executable, name[1]], folder)} if kind == "python" else {}
    assert kind == "toml"
    return {}


@pytest.mark.slow
def test_extending_the_package_from_outside(tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    for document in small_corpus(documents=20).documents:
        (notes / f"{document.name}.txt").write_text(document.text)
    said = {}
    for kind, text in BLOCK.findall(PAGE.read_text()):
        said |= execute(kind, text, tmp_path)
    assert {"unit_value.py", "self_mass.py", "look.py", "head_bars.py"} <= set(said)
    assert "unit-values" in said["dva-lens list presets --import unit_value.py"]
    assert re.search(r"\n  unit +", said["dva-lens list mechanisms --import unit_value.py"])
    assert "head_bars" in said["dva-lens list views --import head_bars.py"]
    assert "unit-values" in said["dva-lens compare runs/unit --baseline transformer"]
    assert "unit-values" in (tmp_path / "report.html").read_text()
    assert "unit-values" in said["visible_keys.py"]
    assert "How far attention reaches" in (tmp_path / "reach.html").read_text()
    assert "largest-weight" in said["dva-lens list questions --import largest.py"]
    assert "Largest weights" in (tmp_path / "largest.html").read_text()
