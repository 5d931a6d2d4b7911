"""What makes the difference between a transformer and direct value attention?

Step by step: one head instead of several, no feed-forward network, and value forms that depend on
more and more, from static values over a branch for the query to the pair of query and key. Every
step stands beside the model that differs in it alone, and the last model beside the first.

    python -m dva_lens.analyses.dva_ladder runs/quick --out dva.html
"""

import sys
from collections.abc import Mapping

from dva_lens.reports.charts import depth_chart
from dva_lens.reports.facts import facts
from dva_lens.reports.material import gather
from dva_lens.reports.page import Report, Section
from dva_lens.reports.steps import step_table, steps_in_words
from dva_lens.results.archive import Archive
from dva_lens.results.factors import (
    FEEDFORWARD,
    FORM,
    HEADS,
    LADDER,
    FactorStep,
    factors_of,
    kind_of,
    leap,
    steps,
)
from dva_lens.results.schema import ArchiveError

from .archive_question import answered

QUESTION = "What makes the difference between a transformer and direct value attention?"
GRID = {HEADS: ("several", "one"), FEEDFORWARD: ("with", "none")}
DRAWN = ("first_key_mass", "written_value_drain", "normalised_entropy", "dynamism")


def report(archive: Archive) -> Report:
    """Return the answer of an archive as a page.

    Raises
    ------
    ArchiveError
        The archive has no two models that differ in heads, feed-forward network or value form.
    """
    material = gather(archive)
    known = {name: held for name, held in factors_of(archive).items() if name in material.models}
    found = ladder(known)
    if not found:
        raise ArchiveError(
            f"{archive.folder} holds no two models that differ only in heads, feed-forward "
            f"network or value form; a study of `dva-static`, `dva-separable` and `dva` has them."
        )
    drawn = [name for name in DRAWN if name in material.statistics]
    return Report(
        title="Direct value attention, step by step",
        lede=QUESTION,
        facts=facts(material),
        sections=(
            Section("answer", "Answer", (steps_in_words(material, found),)),
            Section(
                "differences",
                "All differences",
                (step_table(material, "dva-ladder", "What each step changes", found),),
            ),
            Section("figures", "Layer by layer", tuple(depth_chart(material, n) for n in drawn)),
        ),
    )


def ladder(known: Mapping[str, Mapping[str, str]]) -> tuple[FactorStep, ...]:
    """Return the steps that there are models of, and the leap over all of them."""
    forms = [
        step for step in steps(known, FORM, LADDER) if kind_of(step.changes[0].after) in LADDER
    ]
    grid = [step for factor, ends in GRID.items() for step in steps(known, factor, ends)]
    return (*grid, *forms, *leap(known, {**GRID, FORM: (LADDER[0], LADDER[-1])}))


def main(arguments: list[str] | None = None) -> int:
    """Answer the question from the command line; 0 if it could be answered, else 1."""
    return answered("dva_ladder", __doc__, report, arguments, figures=True)


if __name__ == "__main__":
    sys.exit(main())
