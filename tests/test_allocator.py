"""What a process that keeps its freed memory does not have to map again."""

import subprocess
import sys

import pytest

ROUNDS, PAGE = 8, 4096
LAYERS = """
import resource, sys
import numpy as np
from dva_lens.allocator import keep_freed_memory

if sys.argv[1] == "kept":
    assert keep_freed_memory()

def layer():
    pieces = [np.ones(3 << 20, np.float32) for _ in range(4)]
    return sum(piece[-1] for piece in pieces)

layer(), layer()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(int(sys.argv[2])):
    layer()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """Return how many pages a process had to map for the same memory again."""
    command = [sys.executable, "-c", LAYERS, how, str(ROUNDS)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a setting of glibc on Linux")
def test_kept_memory_is_not_mapped_again() -> None:
    pages = 4 * (12 << 20) // PAGE
    assert faults("kept") < pages / 10
    assert faults("default") > pages, "glibc no longer trims: the setting is superfluous"
