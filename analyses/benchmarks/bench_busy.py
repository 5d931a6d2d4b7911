"""What does `lens.measure` cost while another process holds a core, beside the quiet machine?

Where threads wait for one another at every step, a core that somebody else holds stops all of
them. So the model's own forward and `measure`, as `bench_measure` times them, run first on the
machine as it is, and then beside a process that does nothing but count; the bound is on how much
their ratio may grow. The machine should be idle otherwise, and have two cores or be held to two.

    python -m dva_lens.analyses.benchmarks.bench_busy [--check] [--out F.json]
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import torch

from .bench_measure import MeasureCase, calls, model_of
from .timing import PairedTimes, answered, asking, paired

GROWTH = 1.5
CASE = MeasureCase(1, 1.3)
_COUNT = "print(flush=True)\nwhile True: pass"
"""A program of its own, which says that it runs and then counts."""


@final
@dataclass(frozen=True)
class BusyOutcome:
    """The ratio of measuring to running on a quiet machine and beside a busy process."""

    quiet_ratio: float
    busy_ratio: float
    growth: float
    growth_bound: float
    quiet_pairs: Sequence[tuple[float, float]]
    busy_pairs: Sequence[tuple[float, float]]
    threads: int

    @property
    def holds(self) -> bool:
        """Whether the bound is kept."""
        return self.growth <= self.growth_bound


@contextmanager
def busy_core() -> Iterator[None]:
    """Hold one core until the context ends."""
    words = [sys.executable, "-c", _COUNT]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        try:
            if process.stdout is not None:
                process.stdout.readline()
            yield
        finally:
            process.kill()


def outcome(pairs: int, clock: str) -> BusyOutcome:
    """Time both calls on the machine as it is, then beside a busy process."""
    model = model_of()
    plain, measured = calls(model, CASE)
    quiet = paired(plain, measured, pairs, clock=clock)
    with busy_core():
        busy = paired(plain, measured, pairs, clock=clock)
    return _of(quiet, busy)


def _of(quiet: PairedTimes, busy: PairedTimes) -> BusyOutcome:
    return BusyOutcome(
        quiet_ratio=quiet.ratio,
        busy_ratio=busy.ratio,
        growth=busy.ratio / quiet.ratio,
        growth_bound=GROWTH,
        quiet_pairs=quiet.pairs,
        busy_pairs=busy.pairs,
        threads=torch.get_num_threads(),
    )


def table(found: BusyOutcome) -> list[str]:
    """Return an outcome as lines of text."""
    return [
        "  quiet ratio  busy ratio  growth  bound",
        f"  {found.quiet_ratio:11.3f}  {found.busy_ratio:10.3f}  {found.growth:6.3f}"
        f"  {found.growth_bound:5.2f}  {'holds' if found.holds else 'BROKEN'}",
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON; return 1 where the bound is broken and `--check` asks."""
    chosen = asking(__doc__, pairs=9).parse_args(arguments)
    found = outcome(chosen.pairs, chosen.clock)
    return answered([found], table(found), chosen)


if __name__ == "__main__":
    sys.exit(main())
