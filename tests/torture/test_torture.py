"""What was killed is finished by the same command; a sample of what `make torture` does."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")


def tortured(*words):
    """Run the harness in a process of its own, which forks and must not have threads."""
    return subprocess.run(
        [sys.executable, str(RUN), *words],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


SAMPLE = {
    "a study that keeps its state": r"state\.|to archive|to checkpoints|to catalogue|to study",
    "a measurement again": r"archive\.zarr|to catalogue",
}
"""Jobs, and the operations at which something could be lost."""


@pytest.mark.slow
@pytest.mark.timeout(1800)  # half a minute where nothing else runs
def test_what_was_killed_ends_as_if_it_had_not_been():
    done = tortured(
        "--per", "1", "--random", "0", "--jobs", *SAMPLE, "--at", "|".join(SAMPLE.values())
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^[1-9]\d* kills, 0 failures\.$", done.stdout, re.MULTILINE)
