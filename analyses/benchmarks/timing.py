"""What two ways of computing the same thing cost beside each other, in seconds and in memory?

Times are taken in interleaved pairs within one process, so that whatever else the machine does
falls on both; the figure is the median of the paired ratios. The process keeps the memory it
frees, as the commands of this package do: else both ways pay in turns, and by luck, for mapping
it anew. Memory is how far a fresh process's peak grows beyond what it held before.

Where other processes hold the processor, time on the wall says little: `--clock process` counts
the time that this process has had of it, over all of its threads. JSON says which clock ran, with
every pair, how idle the machine was and what was installed.
"""

import argparse
import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Protocol, final, runtime_checkable

from dva_lens.allocator import keep_freed_memory
from dva_lens.writing import write_text

MIB = 1 << 20
Run = Callable[[], object]
CLOCKS: dict[str, Callable[[], float]] = {
    "wall": lambda: time.perf_counter(),
    "process": lambda: time.process_time(),
}
WATCHED, IDLE = 0.2, 0.9
VERSIONS = ("torch", "transformers", "numpy", "dva-lens")


@runtime_checkable
class Result(Protocol):
    """What a benchmark found in one case, a dataclass of numbers."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def holds(self) -> bool:
        """Whether every bound of the case is kept."""
        ...


@final
@dataclass(frozen=True)
class PairedTimes:
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


def paired(baseline: Run, contender: Run, pairs: int, *, clock: str = "wall") -> PairedTimes:
    """Time two calls in pairs of alternating order, after one of each to warm up."""
    now = CLOCKS[clock]
    keep_freed_memory()
    baseline()
    contender()
    found = []
    for pair in range(pairs):
        if pair % 2:
            second, first = _seconds(contender, now), _seconds(baseline, now)
        else:
            first, second = _seconds(baseline, now), _seconds(contender, now)
        found.append((first, second))
    return PairedTimes(found)


def _seconds(run: Run, now: Callable[[], float]) -> float:
    started = now()
    run()
    return now() - started


def peak_growth(prepare: Callable[..., Run], *arguments: object) -> float:
    """Return by how many MiB a call raises the peak of a fresh process that has prepared it.

    `prepare` is a function of a module, and so can be found again by the other process.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_growth, (prepare, arguments))


def _growth(prepare: Callable[..., Run], arguments: Sequence[object]) -> float:
    keep_freed_memory()
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


def asking(question: str | None, pairs: int) -> argparse.ArgumentParser:
    """Return the options that every benchmark has; `question` is the docstring of its module."""
    parser = reporting(question)
    parser.add_argument("--pairs", type=int, default=pairs)
    parser.add_argument(
        "--clock",
        choices=CLOCKS,
        default="wall",
        help="time on the wall, or what this process had of the processor",
    )
    return parser


def reporting(question: str | None) -> argparse.ArgumentParser:
    """Return the options that say what becomes of the figures, without those of paired times."""
    parser = argparse.ArgumentParser(description=(question or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--out", type=Path, help="also write the JSON to this file")
    parser.add_argument("--check", action="store_true", help="fail where a bound is broken")
    return parser


def answered(
    outcomes: Sequence[Result],
    lines: Sequence[str],
    chosen: argparse.Namespace,
    *,
    installed: Sequence[str] = (),
) -> int:
    """Print the lines given, or JSON; return 1 where a bound is broken and `--check` asks.

    JSON names the versions of what is `installed` beside those that every benchmark names.
    """
    found = {
        "clock": chosen.clock,
        "machine": idle_check(),
        "versions": {name: version(name) for name in (*VERSIONS, *installed)}
        | {"python": platform.python_version()},
        "cases": [{**asdict(each), "holds": each.holds} for each in outcomes],
    }
    text = json.dumps(found, indent=2) + "\n"
    if chosen.out is not None:
        write_text(chosen.out, text)
    sys.stdout.write(text if chosen.json else "\n".join(lines) + "\n")
    return int(chosen.check and not all(each.holds for each in outcomes))


def idle_check() -> dict[str, float | bool]:
    """Return the load of the machine, and the share of a core that a busy loop gets in it.

    Below nine tenths others hold the processor, and `idle` says so: ratios of times on the wall
    then depend on what these do.
    """
    wall, process = time.monotonic(), time.process_time()
    while time.monotonic() - wall < WATCHED:
        pass
    share = (time.process_time() - process) / (time.monotonic() - wall)
    cores = os.cpu_count() or 1
    return {
        "load": os.getloadavg()[0],
        "cores": cores,
        "share_of_a_core": share,
        "idle": share >= IDLE and os.getloadavg()[0] <= cores,
    }
