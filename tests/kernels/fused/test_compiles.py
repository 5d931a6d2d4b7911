"""The Triton kernels compile for an NVIDIA GPU, which needs Triton's compiler and no GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parents[2] / "support"
SHARED_MEMORY = 227 << 10


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Triton's compiler comes for Linux alone")
def test_every_kernel_compiles_and_fits(tmp_path):
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path)}
    environment.pop("TRITON_INTERPRET", None)
    done = subprocess.run(
        [sys.executable, str(SUPPORT / "compile_kernels.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    shared = dict(line.split() for line in done.stdout.splitlines())
    assert len(shared) == 8
    assert all(int(each) <= SHARED_MEMORY for each in shared.values())
