"""Where no GPU is, Triton's kernels run in its interpreter; it asks before its first import."""

import os
from importlib.util import find_spec

import pytest
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"


def pytest_configure():
    """Stop where Triton was promised and is missing; its tests would be skipped."""
    if os.environ.get("DVA_LENS_REQUIRE_TRITON") == "1" and find_spec("triton") is None:
        raise pytest.UsageError("DVA_LENS_REQUIRE_TRITON=1, but Triton is not installed.")


def pytest_generate_tests(metafunc):
    """Draw one sample of what a test takes a `seed` for, or as many as `DVA_LENS_SEEDS` says."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(int(os.environ.get("DVA_LENS_SEEDS", "1"))))
