"""Do definitions that compete for one name rank heads and layers alike?

For every question that papers answer in several ways, the mean reading of each definition in each
model, and Kendall's rank agreement between the definitions over all heads (or layers) of all
models and seeds: 1 where the choice of definition does not matter for who is first, 0 where one
says nothing about the other. Only definitions that the archive was measured with are shown; most
need the extended set.

    python -m dva_lens.analyses.competing_definitions runs/quick --out definitions.html
"""

import sys
from typing import Any

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.reports.facts import facts
from dva_lens.reports.material import Material, gather
from dva_lens.reports.page import DataTable, Part, Report, Section
from dva_lens.results.archive import Archive
from dva_lens.results.entries import EVERY
from dva_lens.results.estimates import mean_of
from dva_lens.results.reader import Measurements
from dva_lens.results.schema import REFERENCE, ArchiveError
from dva_lens.statistics.inference.agreement import RIVALS, Definition, Rivalry, agreement

from .archive_question import answered

_EACH = (axes.MODEL, axes.SEED, axes.LAYER)
_AVERAGED = (axes.HEAD, axes.SEQUENCE)
QUESTION = "Do definitions that compete for one name rank heads and layers alike?"


def report(archive: Archive) -> Report:
    """Return the answer of an archive as a page.

    Raises
    ------
    ArchiveError
        The archive holds no two definitions of the same thing.
    """
    material = gather(archive)
    sections = [
        Section(name, rivalry.question, _parts(name, rivalry, material))
        for name, rivalry in RIVALS.items()
    ]
    if not any(section.parts for section in sections):
        raise ArchiveError(
            f"{archive.folder} holds no two definitions of the same thing; measure it again with "
            f"the primary or the extended statistics."
        )
    return Report(
        title="Competing definitions",
        lede=QUESTION,
        facts=facts(material),
        sections=tuple(section for section in sections if section.parts),
    )


def reading(found: Measurements, definition: Definition, cells: str) -> xr.DataArray:
    """Return what a definition reads over (model, seed, layer), and over heads or over texts."""
    values = found.values(definition.statistic, entry=EVERY).sel(dict(definition.at))
    if definition.over and (level := found.reference(definition.over, entry=EVERY)) is not None:
        values = values + level
    along = (*_EACH, axes.HEAD if cells == "head" else axes.SEQUENCE)
    values = values.mean([dim for dim in values.dims if dim not in (*along, *_AVERAGED)])
    return definition.sign * mean_of(values, along)


def _parts(name: str, rivalry: Rivalry, material: Material) -> tuple[Part, ...]:
    """Return the table of one question, nothing where fewer than two definitions were measured."""
    held = [each for each in rivalry.definitions if _is_held(each, material)]
    if len(held) < 2:
        return ()
    readings = [reading(material.measurements, each, rivalry.cells) for each in held]
    ranks = agreement([one.values.ravel() for one in readings])
    rows: list[dict[str, Any]] = []
    for number, (each, one) in enumerate(zip(held, readings, strict=True)):
        means = each.sign * mean_of(mean_of(one, (axes.MODEL, axes.SEED)), (axes.MODEL,))
        by_model = dict(zip(material.models, means.values.tolist(), strict=True))
        taus = {f"({place + 1})": _cell(tau) for place, tau in enumerate(ranks[number])}
        rows.append({"definition": f"({number + 1}) {each.label}", **by_model, **taus})
    caption = (
        f"Mean reading per model, then Kendall's tau-b with each definition over "
        f"{int(readings[0].count())} "
        f"{'heads' if rivalry.cells == 'head' else 'layers on texts'}, turned so that large "
        "means the same for all. A definition that reads the same everywhere ranks nothing."
    )
    return (DataTable.of(f"agreement-{name}", "Agreement", rows, caption),)


def _is_held(definition: Definition, material: Material) -> bool:
    """Say whether all measurements hold a definition, and the reference it may need."""
    over = definition.over + REFERENCE
    data = [part.data for part in material.measurements.parts]
    has_level = not definition.over or all(over in one for one in data)
    return definition.statistic in material.statistics and has_level


def _cell(tau: float) -> float | None:
    return None if np.isnan(tau) else round(float(tau), 3)


def main(arguments: list[str] | None = None) -> int:
    """Answer the question from the command line; 0 if it could be answered, else 1."""
    return answered("competing_definitions", __doc__, report, arguments)


if __name__ == "__main__":
    sys.exit(main())
