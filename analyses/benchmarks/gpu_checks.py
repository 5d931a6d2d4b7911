"""Does everything that only a GPU can confirm hold on this one?

The fused kernels against the reference on the whole grid, recording and pairwise values against
their bounds, and how fast every preset trains. Checks run in processes of their own, so that one
that fails costs nothing else; what was found is written down at once, and what is written down
for the same sources is not run again. Without a GPU it says what it would do.

    python -m dva_lens.analyses.benchmarks.gpu_checks [--list] [--only PART ...] [--again]
"""

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

from .gpu_ledger import Ledger
from .gpu_running import Limits, child, run_all
from .gpu_table import groups, here, stand_in_for_shapes

OUT = Path("docs/gpu_checks.json")
WORKERS = 14


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing and print all that is known; return 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="say what would run, and run nothing")
    parser.add_argument("--only", nargs="+", default=["*"], help="names, or like forward/*")
    parser.add_argument("--again", action="store_true", help="run what is written down as well")
    parser.add_argument("--minutes", type=float, default=9.0, help="start nothing new after these")
    parser.add_argument("--out", type=Path, default=OUT, help="where results are written down")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    stand_in_for_shapes()
    if chosen.child:
        return child(chosen.child)
    ledger = Ledger.open(chosen.out)
    todo = [[name for name in group if _wanted(name, chosen.only)] for group in groups()]
    missing = [[name for name in group if chosen.again or not ledger.has(name)] for group in todo]
    machine = here()
    if chosen.list or machine is None:
        sys.stdout.write(_plan(todo, missing, machine is None))
        return 0
    ledger.begin(machine)
    _run(missing, ledger, Limits.of(60 * chosen.minutes))
    names = [name for group in todo for name in group]
    sys.stdout.write(ledger.table(names))
    return 0 if all(ledger.holds(name) for name in names) else 1


def _wanted(name: str, only: Sequence[str]) -> bool:
    return any(fnmatch(name, each) for each in only)


def _run(missing: Sequence[Sequence[str]], ledger: Ledger, limits: Limits) -> None:
    """Run groups that only have to be right side by side, and then what is timed alone."""
    timed = [group for group in missing if group and not _only_right(group[0])]
    rest = [group for group in missing if group and _only_right(group[0])]
    with ThreadPoolExecutor(min(WORKERS, os.cpu_count() or 1)) as pool:
        for each in [pool.submit(run_all, group, ledger.keep, limits) for group in rest]:
            each.result()
    for group in timed:
        run_all(group, ledger.keep, limits)


def _only_right(name: str) -> bool:
    return not name.startswith(("speed/", "training/"))


def _plan(todo: Sequence[Sequence[str]], missing: Sequence[Sequence[str]], blind: bool) -> str:
    known = sum(map(len, todo)) - sum(map(len, missing))
    head = "There is no NVIDIA GPU with Triton here; on one this would run:\n" if blind else ""
    lines = [f"  {name}\n" for group in missing for name in group]
    return f"{head}{''.join(lines)}{len(lines)} checks to run, {known} written down.\n"


if __name__ == "__main__":
    raise SystemExit(main())
