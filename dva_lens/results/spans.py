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
    if axes.SPAN not in values.dims:
        return values.astype(float), None
    rows = rows_of(data)
    if not isinstance(spans, str):
        kept = np.isin(values[axes.SPAN].values, list(spans))
        values, rows = values.isel({axes.SPAN: kept}), rows.isel({axes.SPAN: kept})
    cells = [str(dim) for dim in values.dims if dim != axes.SPAN]
    cells += [str(dim) for dim in rows.dims if dim not in values.dims]
    dims = (*cells, axes.SPAN)
    numbers, counts = lifted(values, dims), lifted(rows, dims)
    held = np.isfinite(numbers) & (counts > 0)
    counts = np.where(held, counts, 0.0)
    places = {dim: (values if dim in values.dims else rows)[dim].values for dim in dims}
    if spans == "each":
        found, count = np.where(held, numbers, np.nan), np.where(held, counts, np.nan)
        return xr.DataArray(found, places, dims), xr.DataArray(count, places, dims)
    del places[axes.SPAN]
    count, read = counts.sum(-1), held.any(-1)
    total = (counts * np.where(held, numbers, 0.0)).sum(-1)
    blank = np.full(total.shape, np.nan)
    mean = np.divide(total, count, out=blank, where=read)
    count = np.where(read, count, np.nan)
    return xr.DataArray(mean, places, cells), xr.DataArray(count, places, cells)


def lifted(array: xr.DataArray, dims: Sequence[str]) -> np.ndarray:
    """Return an array with an axis for every dimension, of length one where it has none."""
    own = [dim for dim in dims if dim in array.dims]
    ordered = array.transpose(*own).values.astype(float)
    return ordered[tuple(slice(None) if dim in own else None for dim in dims)]
