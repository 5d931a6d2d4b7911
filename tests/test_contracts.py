"""The import contracts refuse what they forbid: each is shown a forbidden import."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLANTED = {
    "Imports point down": ("dva_lens/axes.py", "import dva_lens.records"),
    "The explorer and the analyses stand on the library": ("app/__init__.py", "import analyses"),
    "Recording does not interpret": (
        "dva_lens/recording/__init__.py",
        "import dva_lens.statistics.statistic",
    ),
    "Mechanisms do not know each other": (
        "dva_lens/mechanisms/norm/__init__.py",
        "import dva_lens.mechanisms.output",
    ),
    "Reading needs no torch": ("dva_lens/views/__init__.py", "import torch"),
}


@pytest.mark.slow
@pytest.mark.parametrize("contract", PLANTED)
def test_a_planted_import_is_refused(contract, tmp_path):
    for folder in ("dva_lens", "app", "analyses"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path, line = PLANTED[contract]
    planted = tmp_path / path
    planted.write_text(f"{planted.read_text()}\n{line}\n")
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode != 0
    assert f"{contract} BROKEN" in done.stdout
