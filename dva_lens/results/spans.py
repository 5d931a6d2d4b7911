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
from dva_lens.results.grid import Grid, grid_of

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
) -> tuple[Grid, Grid | None]:
    """Return the mean over the queries of the chosen spans, and how many queries each is over.

    "all" averages every span, numbers only those (`axes.span_of`), and "each" keeps the spans
    apart. Numbers that are not kept by span come back as they are, without rows.

    Raises
    ------
    ValueError
        If numbers are kept by span, and the measurement does not say how many queries they are of.
    """
    own = grid_of(values)
    if axes.SPAN not in own.dims:
        return Grid(own.numbers.astype(float), own.labels), None
    rows = grid_of(rows_of(data))
    labels = {**own.labels, **{dim: at for dim, at in rows.labels.items() if dim not in own.dims}}
    labels[axes.SPAN] = labels.pop(axes.SPAN)
    numbers, counts = own.over(tuple(labels)), rows.over(tuple(labels))
    if not isinstance(spans, str):
        kept = np.isin(labels[axes.SPAN], list(spans))
        numbers, counts = numbers[..., kept], counts[..., kept]
    held = np.isfinite(numbers) & (counts > 0)
    counts = np.where(held, counts, 0.0)
    if spans == "each":
        found, count = np.where(held, numbers, np.nan), np.where(held, counts, np.nan)
        return Grid(found, labels), Grid(count, labels)
    del labels[axes.SPAN]
    count, read = counts.sum(-1), held.any(-1)
    total = (counts * np.where(held, numbers, 0.0)).sum(-1)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=read)
    return Grid(mean, labels), Grid(np.where(read, count, np.nan), labels)
