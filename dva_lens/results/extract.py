"""Which numbers are read: a statistic, its entries, when in training, over which queries."""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import xarray as xr

from dva_lens import axes
from dva_lens.results.grid import Grid
from dva_lens.results.joining import Place, joined, needed
from dva_lens.results.measurement import Measurement, models_of, seeds_of
from dva_lens.results.moments import Moment
from dva_lens.results.schema import REFERENCE
from dva_lens.results.spans import ROWS, Spans, over_spans


@final
@dataclass(frozen=True)
class Extract:
    """What is read of every training; two extracts are equal where their numbers are.

    `entries` holds the label of each further dimension that is not kept.
    """

    name: str
    entries: tuple[tuple[str, Any], ...]
    moment: Moment
    spans: Spans
    uniform: bool = False

    @property
    def variable(self) -> str:
        """The variable of a measurement that is read."""
        return self.name + REFERENCE * self.uniform

    def of(self, part: Measurement) -> tuple[Grid, Grid | None]:
        """Return what one training holds, and how many queries each number is the mean of."""
        held = part.data[self.variable].load()
        if at := {dim: label for dim, label in self.entries if dim in held.dims}:
            held = held.sel(at)
        values, rows = over_spans(self.moment.select(held), part.data, self.spans)
        values = self.moment.interpolate(values, part.data)
        return values, None if rows is None else self.moment.most(rows)


def extracted(
    parts: Sequence[Measurement], extract: Extract, about: Mapping[str, xr.DataArray]
) -> xr.DataArray | None:
    """Return an extract of all trainings that hold it as one array, None if none does.

    `about` are the coordinates that arrays of these trainings share; those that fit are kept.
    """
    models, seeds = models_of(parts), seeds_of(parts)
    values: dict[Place, Grid] = {}
    rows: dict[Place, Grid] = {}
    for part in parts:
        if extract.variable not in part.data:
            continue
        place = models.index(part.model), seeds.index(part.seed)
        values[place], count = extract.of(part)
        if count is not None:
            rows[place] = count
    if not values:
        return None
    array = joined(values, models, seeds)
    fitting = {name: at for name, at in about.items() if set(at.dims) <= set(array.dims)}
    if rows:
        counts = needed(joined(rows, models, seeds), but=(axes.SEQUENCE, axes.SPAN))
        fitting[ROWS] = counts.fillna(0.0)
    return array.assign_coords(fitting)


def why_nan(parts: Sequence[Measurement], name: str) -> str:
    """Say, model by model, why a statistic has no number somewhere."""
    found: dict[str, str] = {}
    for part in parts:
        if name not in part.data:
            found[part.label] = "not measured"
        elif reason := part.data.variables[name].attrs.get("why_not"):
            found[part.model] = str(reason)
    held = {(part.model, part.seed) for part in parts}
    found |= {
        f"{model}, seed {seed}": "no such training"
        for model in models_of(parts)
        for seed in seeds_of(parts)
        if (model, seed) not in held
    }
    return "; ".join(f"{who}: {why}" for who, why in found.items())
