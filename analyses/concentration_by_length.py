"""Does attention concentrate as there is more to attend to, and does a sink hold its share?

The number of keys that a query attends to, against the number it can see: an exponent of 1 is that
of uniform attention, and 0 that of a model that attends to as many keys in any context. The weight
on the first key likewise: −1 as uniform attention, 0 for a sink that keeps its share.

    python -m dva_lens.analyses.concentration_by_length runs/quick --out length.html
"""

import sys

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.reports.facts import definition, facts
from dva_lens.reports.material import Material, gather
from dva_lens.reports.page import Cell, Chart, DataTable, Points, Report, Section
from dva_lens.reports.seeds import HOW, seeds_in_words, seeds_minus
from dva_lens.results.archive import Archive
from dva_lens.results.length import length_exponents
from dva_lens.results.schema import ArchiveError
from dva_lens.views.spans import span_profile

from .archive_question import answered, need

QUESTION = (
    "Does attention concentrate as there is more to attend to, and does a sink hold its share?"
)
KEYS, SINK = "entropy", "first_key_mass"


def report(archive: Archive) -> Report:
    """Return the answer of an archive as a page.

    Raises
    ------
    ArchiveError
        The archive lacks the entropy, or texts that are long enough.
    """
    material = gather(archive)
    need(material, KEYS)
    drawn = [name for name in (KEYS, SINK) if name in material.statistics]
    found = {name: length_exponents(material.measurements, name) for name in drawn}
    if not np.isfinite(found[KEYS].values).any():
        raise ArchiveError(f"No text of {archive.folder} has queries that see 8 keys or more.")
    figures = [Chart(_link(name), span_profile(material.measurements, name)) for name in drawn]
    return Report(
        title="Concentration against length",
        lede=QUESTION,
        facts=facts(material),
        sections=(
            Section("answer", "Answer", (_answer(material, found[KEYS]), _table(material, found))),
            Section("figures", "By visible keys", tuple(figures)),
            Section("definitions", "Definitions", tuple(definition(material, n) for n in drawn)),
        ),
    )


def main(arguments: list[str] | None = None) -> int:
    """Answer the question from the command line; 0 if it could be answered, else 1."""
    return answered("concentration_by_length", __doc__, report, arguments, figures=True)


def _link(name: str) -> str:
    return f"{name.replace('_', '-')}-by-visible-keys"


def _answer(material: Material, exponents: xr.DataArray) -> Points:
    return Points(tuple((f"{name}:", _sentence(exponents, name)) for name in material.models))


def _sentence(exponents: xr.DataArray, model: str) -> str:
    """Say how the number of attended keys of a model grows, and in which layers most and least."""
    own = exponents.sel({axes.MODEL: model})
    by_layer = own.mean(axes.SEED).dropna(axes.LAYER)
    mean = seeds_in_words(own.mean(axes.LAYER).values)
    if not by_layer.sizes[axes.LAYER]:
        return "no query sees enough keys."
    low, high = int(by_layer.idxmin()), int(by_layer.idxmax())
    return (
        f"with twice the keys to see, queries attend to {2 ** float(by_layer.mean()):.2f} times "
        f"as many (exponent {mean}); least in layer {low} ({float(by_layer.min()):.2f}), most in "
        f"layer {high} ({float(by_layer.max()):.2f})."
    )


def _table(material: Material, found: dict[str, xr.DataArray]) -> DataTable:
    titles = {KEYS: "keys attended to", SINK: "weight on the first key"}
    each = {
        name: {
            model: one.sel({axes.MODEL: model}).mean(axes.LAYER).values
            for model in material.models
        }
        for name, one in found.items()
    }
    differences = {name: seeds_minus(own, material.baseline) for name, own in each.items()}
    rows: list[dict[str, Cell]] = []
    for model in material.models:
        row: dict[str, Cell] = {"model": model}
        for name in found:
            row[titles[name]] = seeds_in_words(each[name][model])
            row[f"{titles[name]}, minus {material.baseline}"] = differences[name].get(model)
        rows.append(row)
    caption = (
        f"Exponents in the number of visible keys, from 4 on, mean over layers. {HOW} Uniform "
        "attention reads 1 and −1. p values of differences are adjusted over models (Holm)."
    )
    return DataTable.of("exponents", "Exponents in the number of visible keys", rows, caption)


if __name__ == "__main__":
    sys.exit(main())
