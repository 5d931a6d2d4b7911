"""In which layers is attention concentrated, and does the value path change where?

Entropy of every query's attention, layer by layer, for every model of an archive: divided by what
uniform attention would have, so that 1 is no choice at all; then without the first key, which may
be a sink; then at each number of visible keys. Models are compared on the same texts, in the
middle half of their layers and in their slope over depth.

    python -m dva_lens.analyses.entropy_by_depth runs/quick --out entropy.html
"""

import sys

from dva_lens import axes
from dva_lens.reports.charts import depth_chart
from dva_lens.reports.differences import difference_table, interval
from dva_lens.reports.facts import definition, facts
from dva_lens.reports.material import Material, gather
from dva_lens.reports.page import Chart, Part, Points, Report, Section, Text
from dva_lens.results.archive import Archive
from dva_lens.views.spans import span_profile

from .archive_question import answered, need

NAME = "normalised_entropy"
QUESTION = "In which layers is attention concentrated, and does the value path change where?"
STATISTICS = ("normalised_entropy", "sink_free_entropy", "entropy")


def report(archive: Archive) -> Report:
    """Return the answer of an archive as a page.

    Raises
    ------
    ArchiveError
        The archive lacks a statistic that the question is about.
    """
    material = gather(archive)
    need(material, *STATISTICS)
    figures = (
        depth_chart(material, "normalised_entropy"),
        depth_chart(material, "sink_free_entropy"),
        Chart("entropy-by-visible-keys", span_profile(material.measurements, "entropy")),
    )
    return Report(
        title="Entropy by depth",
        lede=QUESTION,
        facts=facts(material),
        sections=(
            Section("answer", "Answer", (_answer(material), *_contrasts(material))),
            Section("figures", "Layer by layer", figures),
            Section(
                "definitions",
                "Definitions",
                tuple(definition(material, name) for name in STATISTICS),
            ),
        ),
    )


def main(arguments: list[str] | None = None) -> int:
    """Answer the question from the command line; 0 if it could be answered, else 1."""
    return answered("entropy_by_depth", __doc__, report, arguments, figures=True)


def _answer(material: Material) -> Points:
    return Points(tuple((f"{model}:", _profile(material, model)) for model in material.models))


def _profile(material: Material, model: str) -> str:
    """Say in which layer of a model attention is most and least concentrated."""
    by_layer = material.by_layer(NAME).sel({axes.MODEL: model}).dropna(axes.LAYER)
    if not by_layer.size:
        return "no layer attends."
    lowest, highest = int(by_layer.idxmin()), int(by_layer.idxmax())
    return (
        f"normalised entropy {interval(material.means(NAME)[model])} over all layers; most "
        f"concentrated in layer {lowest} ({float(by_layer.min()):.3f}), least in layer {highest} "
        f"({float(by_layer.max()):.3f})."
    )


def _contrasts(material: Material) -> tuple[Part, ...]:
    if material.why_not_compared:
        return (Text(f"Models are not compared: {material.why_not_compared}", "note"),)
    if material.comparisons is None:
        return (Text("There is a single model, so there is nothing to compare it with."),)
    return (difference_table(material, material.comparisons, (NAME,)),)


if __name__ == "__main__":
    sys.exit(main())
