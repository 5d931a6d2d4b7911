"""Commands under their former names: each says the new one and runs it, for one release.

Python finds them as `dva_lens.analyses.NAME`, because the package adds this folder to its path.
"""

import runpy
import sys
from pathlib import Path

PLACE = str(Path(__file__).parent)
_PACKAGE = __name__.rpartition(".")[0]


def forward(name: str) -> None:
    """Run a command of this package by its new name, such as `benchmarks.bench_dva`."""
    module = f"{_PACKAGE}.{name}"
    sys.stderr.write(f"This command is now `python -m {module}`.\n")
    runpy.run_module(module, run_name="__main__", alter_sys=True)
