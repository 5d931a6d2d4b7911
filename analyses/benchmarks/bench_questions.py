"""How long do the answers to all questions about an archive take, beside its report without them?

Every question that `dva-lens report` asks is answered of an archive that was just opened, and so
is the report: nothing that one has read helps the other. By default the archive is the reference
results, which come with the package.

    python -m dva_lens.analyses.benchmarks.bench_questions [DIR] [--check] [--out F.json]
"""

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import final

from dva_lens.reports.report import report_of
from dva_lens.results.archive import open_archive
from dva_lens.results.schema import ArchiveError

from ..questions import ABOUT_ARCHIVES, questions_to_archives
from .timing import answered, asking, paired

SECONDS = 60.0


@final
@dataclass(frozen=True)
class QuestionsOutcome:
    """Median seconds of the report without questions and of all answers, and every pair."""

    questions: int
    report_seconds: float
    questions_seconds: float
    seconds_bound: float
    pairs: Sequence[tuple[float, float]]

    @property
    def holds(self) -> bool:
        """Whether the bound is kept."""
        return self.questions_seconds <= self.seconds_bound


def outcome(folder: Path, pairs: int, clock: str) -> QuestionsOutcome:
    """Time the report of an archive and the answers to all questions about it."""

    def report() -> None:
        report_of(open_archive(folder))

    def questions() -> None:
        archive = open_archive(folder)
        for ask in questions_to_archives().values():
            with suppress(ArchiveError):  # it holds too little for this one
                ask(archive)

    times = paired(report, questions, pairs, clock=clock)
    return QuestionsOutcome(
        questions=len(ABOUT_ARCHIVES),
        report_seconds=times.baseline,
        questions_seconds=times.contender,
        seconds_bound=SECONDS,
        pairs=times.pairs,
    )


def table(found: QuestionsOutcome) -> list[str]:
    """Return an outcome as lines of text."""
    state = "holds" if found.holds else "BROKEN"
    return [
        "  questions  report [s]  answers [s]  bound [s]",
        f"  {found.questions:9}  {found.report_seconds:10.1f}  {found.questions_seconds:11.1f}"
        f"  {found.seconds_bound:9.1f}  {state}",
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON; return 1 where the bound is broken and `--check` asks."""
    parser = asking(__doc__, pairs=3)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("reference"), metavar="DIR")
    chosen = parser.parse_args(arguments)
    found = outcome(chosen.folder, chosen.pairs, chosen.clock)
    return answered([found], table(found), chosen)


if __name__ == "__main__":
    sys.exit(main())
