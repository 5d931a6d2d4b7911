"""Damaged inputs get one clear sentence; here 75 of them, `make fuzz` tries more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")
CASES = 75


@pytest.mark.slow
@pytest.mark.timeout(1800)  # under a minute where nothing else runs
def test_every_answer_is_one_sentence_that_names_the_culprit():
    done = subprocess.run(
        [sys.executable, str(RUN), "--cases", str(CASES)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{CASES} cases in" in done.stdout
