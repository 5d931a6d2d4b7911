"""Means over the queries of spans, by the rows of the layer that they belong to.

A layer with a window has its queries in other spans than a layer without one, so each layer
weights its spans by its own numbers of queries.
"""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Sequence
from typing import Literal

import numpy as np
import xarray as xr

from dva_lens import axes

ROWS = "rows"
ROWS_BY_LAYER = "rows_by_layer"
Spans = Literal["all", "each"] | Sequence[int]


def rows_of(data: xr.Dataset) -> xr.DataArray:
    """Return how many queries each mean is over: (sequence, span), by layer where layers differ.

    Raises
    ------
    ValueError
        If the measurement does not say how many queries its means are over.
    """
    for name in (ROWS_BY_LAYER, ROWS):
        if name in data:
            return data[name]
    raise ValueError("The measurement holds no `rows`, so its spans cannot be averaged.")


def over_spans(
    values: xr.DataArray, data: xr.Dataset, spans: Spans = "all"
) -> tuple[xr.DataArray, xr.DataArray | None]:
    """Return the mean over the queries of the chosen spans, and how many queries each is over.

    "all" averages every span, numbers only those (`axes.span_of`), and "each" keeps the spans
    apart. Numbers that are not kept by span come back as they are, without rows.
    """
    values = values.astype(float)
    if axes.SPAN not in values.dims:
        return values, None
    rows = rows_of(data).astype(float)
    if not isinstance(spans, str):
        kept = np.isin(values[axes.SPAN].values, list(spans))
        values, rows = values.isel({axes.SPAN: kept}), rows.isel({axes.SPAN: kept})
    held = rows.where(values.notnull() & (rows > 0))
    if spans == "each":
        return values.where(held.notnull()), held
    mean = values.weighted(rows).mean(axes.SPAN)
    return mean, held.sum(axes.SPAN, min_count=1)
