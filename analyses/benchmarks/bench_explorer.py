"""How long does a reader of the explorer wait, in a real browser against the real command?

Archives are measured of decoders with random weights. For each, `dva-lens explore` is started and
driven by chromium (one at /usr/bin/chromium, or named in LENS_CHROMIUM): until it answers, the
first page with a warm cache and the bytes it moves beside the bundle of scripts, another head by
an arrow key until the first figure and the words about the head are painted and until all charts
are, and a token that is pointed at until it is shown. The browser stamps events and frames itself.
Processor time of server and browser stands beside every time on the wall, because on a machine
that others use the wall measures them too; `--check` is for an idle one.

    python -m dva_lens.analyses.benchmarks.bench_explorer [--cases 4x4 24x16 24x16x16384] [--check]
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from .explorer_browser import browsing, hovers, median, switches, visits
from .explorer_server import make_archive, started
from .timing import answered, reporting

BOUNDS: Mapping[str, float] = {
    "start [s]": 3.0,
    "first page, warm [s]": 1.5,
    "bytes beside the bundle [MB]": 1.5,
    "switch, first figure [ms]": 100.0,
    "switch, all charts [ms]": 250.0,
    "server, processor per switch [ms]": 10.0,
    "pointing at a token [ms]": 50.0,
    "growth of the page per 1,000 switches [MiB]": 16.0,
}
"""The most that the median of each may be."""
LONG = 16_384
"""Tokens of the longest text, which takes minutes to measure."""
INSTALLED = ("dash", "plotly", "dash-mantine-components", "playwright")


@final
@dataclass(frozen=True)
class ExplorerCase:
    """An archive to explore: layers by heads, tokens of each text, and how many models."""

    layers: int
    heads: int
    length: int
    models: int

    @property
    def name(self) -> str:
        """What `--cases` calls it."""
        heads = f"{self.layers}x{self.heads}"
        return heads if self.length < LONG else f"{heads}x{self.length}"


CASES = (
    ExplorerCase(4, 4, 128, 4),
    ExplorerCase(24, 16, 1024, 2),
    ExplorerCase(24, 16, LONG, 1),
)


@final
@dataclass(frozen=True)
class ExplorerOutcome:
    """What was found in one case: one number per bound, what has no bound, and raw samples."""

    name: str
    length: int
    found: Mapping[str, float]
    beside: Mapping[str, float]
    samples: Mapping[str, Sequence[float]]

    @property
    def broken(self) -> tuple[str, ...]:
        """The bounds that are broken."""
        return tuple(name for name, bound in BOUNDS.items() if self.found[name] > bound)

    @property
    def holds(self) -> bool:
        """Whether every bound is kept."""
        return not self.broken


def outcome(case: ExplorerCase, chosen: argparse.Namespace) -> ExplorerOutcome:
    """Make the archive of a case, explore it, and return what a reader waited for."""
    with tempfile.TemporaryDirectory() as place:
        sizes = {"layers": case.layers, "heads": case.heads, "length": case.length}
        folder = make_archive(Path(place), **sizes, models=case.models)
        return explored(folder, case, chosen)


def explored(folder: Path, case: ExplorerCase, chosen: argparse.Namespace) -> ExplorerOutcome:
    """Explore an archive, and return what a reader waited for."""
    starts = []
    for _ in range(chosen.starts - 1):
        with started(folder) as server:
            starts.append(server.seconds)
    with browsing() as browser, started(folder) as server:
        starts.append(server.seconds)
        begun = server.processor_seconds()
        opened = visits(browser, server, chosen.visits)
        walked = switches(browser, server, chosen.switches, layers=case.layers, heads=case.heads)
        pointed = hovers(browser, server, chosen.hovers)
    growth = (walked.heap_after - walked.heap_before) * 1000 / chosen.switches
    found = {
        "start [s]": median(starts),
        "first page, warm [s]": median(opened.warm),
        "bytes beside the bundle [MB]": opened.page_bytes / 1e6,
        "switch, first figure [ms]": median(walked.first),
        "switch, all charts [ms]": median(walked.all_charts),
        "server, processor per switch [ms]": walked.server_milliseconds,
        "pointing at a token [ms]": median(pointed),
        "growth of the page per 1,000 switches [MiB]": growth,
    }
    beside = {
        "processor until it answers [s]": begun,
        "first page, cold [s]": opened.cold,
        "bundle [MB]": opened.bundle_bytes / 1e6,
        "browser, processor per switch [ms]": walked.browser_milliseconds,
        "growth of the server over the switches [MiB]": walked.server_after - walked.server_before,
    }
    samples = {
        "start": starts,
        "warm": opened.warm,
        "first": walked.first,
        "all charts": walked.all_charts,
        "pointing": pointed,
    }
    return ExplorerOutcome(case.name, case.length, found, beside, samples)


def table(outcomes: Sequence[ExplorerOutcome]) -> list[str]:
    """Return outcomes as lines of text."""
    lines = []
    for each in outcomes:
        lines.append(f"  {each.name} heads, {each.length:,} tokens")
        for name, bound in BOUNDS.items():
            word = "BROKEN" if name in each.broken else "holds"
            lines.append(f"    {name:46s} {each.found[name]:9.2f}  at most {bound:6.1f}  {word}")
        lines += [f"    {name:46s} {value:9.2f}" for name, value in each.beside.items()]
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON; return 1 where a bound is broken and `--check` asks."""
    parser = reporting(__doc__)
    parser.add_argument("--cases", nargs="+", choices=[case.name for case in CASES])
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--visits", type=int, default=9)
    parser.add_argument("--switches", type=int, default=100)
    parser.add_argument("--hovers", type=int, default=60)
    chosen = parser.parse_args(arguments, argparse.Namespace(clock="wall"))
    cases = [case for case in CASES if chosen.cases is None or case.name in chosen.cases]
    outcomes = [outcome(case, chosen) for case in cases]
    return answered(outcomes, table(outcomes), chosen, installed=INSTALLED)


if __name__ == "__main__":
    sys.exit(main())
