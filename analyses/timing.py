"""What two ways of computing the same thing cost beside each other, in seconds and in memory?

Times are taken in interleaved pairs within one process, so that whatever else the machine does
falls on both; the figure is the median of the paired ratios. Memory is how far a fresh process's
peak grows beyond what it held before.
"""

import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

MIB = 1 << 20
Run = Callable[[], object]


@final
@dataclass(frozen=True)
class Paired:
    """Seconds of a baseline and of a contender, pair by pair."""

    pairs: Sequence[tuple[float, float]]

    @property
    def baseline(self) -> float:
        """Median seconds of the baseline."""
        return statistics.median(first for first, _ in self.pairs)

    @property
    def contender(self) -> float:
        """Median seconds of the contender."""
        return statistics.median(second for _, second in self.pairs)

    @property
    def ratio(self) -> float:
        """Median of contender over baseline."""
        return statistics.median(second / first for first, second in self.pairs)


def paired(baseline: Run, contender: Run, pairs: int) -> Paired:
    """Time two calls in pairs of alternating order, after one of each to warm up."""
    baseline()
    contender()
    found = []
    for pair in range(pairs):
        if pair % 2:
            second, first = _seconds(contender), _seconds(baseline)
        else:
            first, second = _seconds(baseline), _seconds(contender)
        found.append((first, second))
    return Paired(found)


def _seconds(run: Run) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def peak_growth(prepare: Callable[..., Run], *arguments: object) -> float:
    """Return by how many MiB a call raises the peak of a fresh process that has prepared it.

    `prepare` is a function of a module, and so can be found again by the other process.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_growth, (prepare, arguments))


def _growth(prepare: Callable[..., Run], arguments: Sequence[object]) -> float:
    run = prepare(*arguments)
    before = _peak()
    run()
    return (_peak() - before) / MIB


def _peak() -> int:
    """Return the peak of this process in bytes.

    What getrusage says on Linux includes the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(each for each in status.read_text().splitlines() if each[:6] == "VmHWM:")
        return int(line.split()[1]) << 10
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
