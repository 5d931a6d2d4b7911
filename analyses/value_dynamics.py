"""How dynamic are dynamic values, where in depth, and in which heads?

Dynamism is the share of the power of attended values that differs between the queries of one key:
zero for static values, whatever a form could do. For every model whose values move: how much, in
which layers, and whether the heads that attend to fewer keys have values that move more. Where the
archive holds the two-way split of values, the share that belongs to the pair alone stands beside.

    python -m dva_lens.analyses.value_dynamics runs/quick --out dynamics.html
"""

import sys
from collections.abc import Mapping

import xarray as xr

from dva_lens import axes
from dva_lens.reports.charts import depth_chart
from dva_lens.reports.facts import definition, facts
from dva_lens.reports.material import Material, gather
from dva_lens.reports.page import Cell, DataTable, Points, Report, Section
from dva_lens.reports.seeds import HOW, seeds_in_words
from dva_lens.results.archive import Archive
from dva_lens.results.estimates import heads_of, mean_of
from dva_lens.results.factors import FORM, factors_of
from dva_lens.results.schema import ArchiveError
from dva_lens.statistics.inference.distributions import rank_agreement
from dva_lens.views.words import listed

from .archive_question import answered, need

QUESTION = "How dynamic are dynamic values, where in depth, and in which heads?"
NAME, CONCENTRATION, SPLIT = "dynamism", "normalised_entropy", "value_decomposition"
PARTS = ("key", "query", "interaction")
SHARE, RANKS = (0.0, 1.0), (-1.0, 1.0)


def report(archive: Archive) -> Report:
    """Return the answer of an archive as a page.

    Raises
    ------
    ArchiveError
        The archive lacks the dynamism of values, or no model has values that move.
    """
    material = gather(archive)
    need(material, NAME)
    found = mean_of(material.measurements.values(NAME), (axes.MODEL, axes.SEED, axes.LAYER))
    moving = {
        model: one
        for model in material.models
        if (one := found.sel({axes.MODEL: model})).max() > 0
    }
    if not moving:
        raise ArchiveError(
            f"The values of no model of {archive.folder} differ between queries; a study of `dva` "
            f"has some that do."
        )
    tables = [_table(material, moving, factors_of(archive))]
    if SPLIT in material.statistics:
        tables.append(_split(material, moving))
    return Report(
        title="How dynamic values are",
        lede=QUESTION,
        facts=facts(material),
        sections=(
            Section("answer", "Answer", (_answer(material, moving), *tables)),
            Section("figures", "Layer by layer", (depth_chart(material, NAME),)),
            Section("definitions", "Definitions", (definition(material, NAME),)),
        ),
    )


def main(arguments: list[str] | None = None) -> int:
    """Answer the question from the command line; 0 if it could be answered, else 1."""
    return answered("value_dynamics", __doc__, report, arguments, figures=True)


def _answer(material: Material, moving: Mapping[str, xr.DataArray]) -> Points:
    said = [(f"{model}:", _sentence(one)) for model, one in moving.items()]
    if still := [model for model in material.models if model not in moving]:
        said.append(("Static:", f"values do not move at all in {listed(still)}."))
    return Points(tuple(said))


def _sentence(one: xr.DataArray) -> str:
    by_layer = one.mean(axes.SEED).dropna(axes.LAYER)
    low, high = int(by_layer.idxmin()), int(by_layer.idxmax())
    mean = seeds_in_words(one.mean(axes.LAYER).values, within=SHARE)
    return (
        f"a share of {mean} of the power of attended values moves with the query; most in layer "
        f"{high} ({float(by_layer.max()):.3f}), least in layer {low} "
        f"({float(by_layer.min()):.3f})."
    )


def _table(
    material: Material,
    moving: Mapping[str, xr.DataArray],
    known: Mapping[str, Mapping[str, str]],
) -> DataTable:
    rows: list[dict[str, Cell]] = []
    for model, one in moving.items():
        by_layer = one.mean(axes.SEED).dropna(axes.LAYER)
        row: dict[str, Cell] = {
            "model": model,
            FORM: known.get(model, {}).get(FORM),
            NAME: seeds_in_words(one.mean(axes.LAYER).values, within=SHARE),
            "most in layer": int(by_layer.idxmax()),
            "there": seeds_in_words(one.sel({axes.LAYER: by_layer.idxmax()}).values, within=SHARE),
        }
        if CONCENTRATION in material.statistics:
            row["with concentration"] = seeds_in_words(_agreement(material, model), within=RANKS)
        rows.append(row)
    caption = (
        f"{HOW} With concentration: Kendall's tau over the heads of a training between dynamism "
        "and how concentrated attention is; above zero, values move more where attention chooses "
        "more. A gate or a branch of the query alone moves values too."
    )
    return DataTable.of("dynamism", "Dynamism of values", rows, caption)


def _agreement(material: Material, model: str) -> list[float]:
    """Return of every training whether concentrated heads have values that move more."""
    own = material.measurements.of(model)
    moves, spread = (heads_of(own.values(name))[model] for name in (NAME, CONCENTRATION))
    return [rank_agreement(one, -other) for one, other in zip(moves, spread, strict=True)]


def _split(material: Material, moving: Mapping[str, xr.DataArray]) -> DataTable:
    """Return which share of the values belongs to the key, the query and the pair."""
    along = (axes.MODEL, axes.SEED)
    rows: list[dict[str, Cell]] = [{"model": model} for model in moving]
    for part in PARTS:
        entry = {"weighting": "uniform", "part": part}
        found = mean_of(material.measurements.values(SPLIT, entry=entry), along)
        for row, model in zip(rows, moving, strict=True):
            row[part] = seeds_in_words(found.sel({axes.MODEL: model}).values, within=SHARE)
    caption = f"{HOW} Shares of the variance of values, every pair counting the same."
    return DataTable.of("parts-of-values", "What values depend on", rows, caption)


if __name__ == "__main__":
    sys.exit(main())
