"""How extreme does the residual stream become from layer to layer, and does the value path matter?

The largest entry of the residual stream over its median entry, layer by layer, for every model of
an archive: how many times it grows from the input to the output, between which layers most, and by
how much another value path changes that.

    python -m dva_lens.analyses.stream_by_depth runs/quick --out stream.html
"""

import sys
from collections.abc import Mapping

import numpy as np

from dva_lens import axes
from dva_lens.reports.charts import depth_chart
from dva_lens.reports.facts import definition, facts
from dva_lens.reports.material import Material, gather
from dva_lens.reports.page import Cell, DataTable, Points, Report, Section
from dva_lens.reports.seeds import HOW, seeds_in_words, seeds_minus
from dva_lens.results.archive import Archive
from dva_lens.results.estimates import mean_of
from dva_lens.statistics.inference.depth import SLOPE, coefficients

from .archive_question import answered, need

QUESTION = (
    "How extreme does the residual stream become from layer to layer, and does the value path "
    "matter?"
)
NAME = "massive_activation"
BESIDE = ("token_similarity", "effective_rank", "uniform_similarity")


def report(archive: Archive) -> Report:
    """Return the answer of an archive as a page.

    Raises
    ------
    ArchiveError
        The archive lacks the massive-activation ratio.
    """
    material = gather(archive)
    need(material, NAME)
    found = mean_of(material.measurements.values(NAME), (axes.MODEL, axes.SEED, axes.LAYER))
    ratios = {
        model: np.log(found.sel({axes.MODEL: model}).dropna(axes.SEED, how="all").values)
        for model in material.models
    }
    drawn = [name for name in (NAME, *BESIDE) if name in material.statistics]
    return Report(
        title="The residual stream by depth",
        lede=QUESTION,
        facts=facts(material),
        sections=(
            Section("answer", "Answer", (_answer(ratios), _table(material, ratios))),
            Section("figures", "Layer by layer", tuple(depth_chart(material, n) for n in drawn)),
            Section("definitions", "Definitions", tuple(definition(material, n) for n in drawn)),
        ),
    )


def main(arguments: list[str] | None = None) -> int:
    """Answer the question from the command line; 0 if it could be answered, else 1."""
    return answered("stream_by_depth", __doc__, report, arguments, figures=True)


def growth(ratios: np.ndarray) -> np.ndarray:
    """Return the logarithm of how many times ratios grow over the depth, of every training.

    `ratios` holds logarithms over (seed, layer); the growth is that of a line through the layers.
    """
    held = np.isfinite(ratios)
    return (coefficients(SLOPE, held) * np.where(held, ratios, 0.0)).sum(-1)


def _answer(ratios: Mapping[str, np.ndarray]) -> Points:
    return Points(tuple((f"{model}:", _sentence(one)) for model, one in ratios.items()))


def _sentence(ratios: np.ndarray) -> str:
    """Say how much a stream grows, and between which layers it changes most."""
    mean = ratios.mean(0)
    times = seeds_in_words(growth(ratios), back=np.exp)
    steps = np.diff(mean[np.isfinite(mean)])
    if not len(steps):
        return f"one layer, with a ratio of {float(np.exp(mean[0])):.3g}."
    at = int(np.abs(steps).argmax())
    verb = "rises" if steps[at] > 0 else "falls"
    return (
        f"from input to output the ratio is multiplied by {times}; it {verb} most from layer {at} "
        f"to {at + 1}, by a factor of {float(np.exp(steps[at])):.2f}."
    )


def _table(material: Material, ratios: Mapping[str, np.ndarray]) -> DataTable:
    base = material.baseline
    each = {model: growth(one) for model, one in ratios.items()}
    differ = seeds_minus(each, base, back=np.exp)
    rows: list[dict[str, Cell]] = []
    for model, one in ratios.items():
        layers = one[:, np.isfinite(one).any(0)]
        rows.append(
            {
                "model": model,
                "first layer": seeds_in_words(layers[:, 0], back=np.exp),
                "last layer": seeds_in_words(layers[:, -1], back=np.exp),
                "largest in layer": int(layers.mean(0).argmax()),
                "largest": seeds_in_words(layers.max(1), back=np.exp),
                "times over depth": seeds_in_words(each[model], back=np.exp),
                f"over that of {base}": differ.get(model),
            }
        )
    caption = (
        f"Massive-activation ratio, averaged over seeds in the logarithm. {HOW} Times over depth: "
        "by a line through the logarithms of all layers. p values of ratios of models are "
        "adjusted over models (Holm)."
    )
    return DataTable.of("stream", "The largest over the median entry", rows, caption)


if __name__ == "__main__":
    sys.exit(main())
