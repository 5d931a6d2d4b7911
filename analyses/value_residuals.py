"""What does it change when values come from the first layer?

Every model whose values come from elsewhere than its own layer stands beside the model that is
like it in all else: sinks, drained values, concentration, the residual stream and the loss, on the
same texts, at the last step and at equal loss. In which shares values then come from each source
is shown by layer.

    python -m dva_lens.analyses.value_residuals runs/quick --out value_residuals.html
"""

import sys

from dva_lens.reports.charts import depth_chart
from dva_lens.reports.facts import facts
from dva_lens.reports.material import gather
from dva_lens.reports.page import Report, Section
from dva_lens.reports.steps import step_table, steps_in_words
from dva_lens.results.archive import Archive
from dva_lens.results.factors import SOURCE, factors_of, steps
from dva_lens.results.schema import ArchiveError

from .archive_question import answered

QUESTION = "What does it change when values come from the first layer?"
DRAWN = ("value_source_share", "written_value_drain", "first_key_mass")


def report(archive: Archive) -> Report:
    """Return the answer of an archive as a page.

    Raises
    ------
    ArchiveError
        The archive has no two models that differ in where values come from alone.
    """
    material = gather(archive)
    known = {name: held for name, held in factors_of(archive).items() if name in material.models}
    found = steps(known, SOURCE, ("own",))
    if not found:
        raise ArchiveError(
            f"{archive.folder} holds no two models that differ only in where their values come "
            f"from; a study of `transformer` and `resformer-identity` has them."
        )
    drawn = [name for name in DRAWN if name in material.statistics]
    table = step_table(material, "value-residuals", "What value residuals change", found)
    return Report(
        title="Value residuals",
        lede=QUESTION,
        facts=facts(material),
        sections=(
            Section("answer", "Answer", (steps_in_words(material, found),)),
            Section("differences", "All differences", (table,)),
            Section("figures", "Layer by layer", tuple(depth_chart(material, n) for n in drawn)),
        ),
    )


def main(arguments: list[str] | None = None) -> int:
    """Answer the question from the command line; 0 if it could be answered, else 1."""
    return answered("value_residuals", __doc__, report, arguments, figures=True)


if __name__ == "__main__":
    sys.exit(main())
