"""Means of what the reader returns, with intervals over documents: what every view shows.

Rows weight documents within a layer; layers, heads and seeds weigh equally. So a number is first
averaged over sequences, by the rows behind it, and then over everything else, where what has no
number stays out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.spans import ROWS
from dva_lens.statistics.inference.estimate import profile


@final
@dataclass(frozen=True)
class PerSequence:
    """What each sequence adds to the mean of one model: values and weights over (sequence, ...).

    The weighted mean over sequences is the mean that `estimate` gives; `documents` names the
    document of each sequence.
    """

    values: np.ndarray
    weights: np.ndarray
    documents: np.ndarray


def estimate(values: xr.DataArray, along: Sequence[str] = ()) -> xr.Dataset:
    """Return the mean of a statistic along dimensions, with its interval, for every model.

    Parameters
    ----------
    values : DataArray
        What the reader returned, or a selection of it, such as of one model or layer.
    along : sequence of str
        The dimensions to keep, such as ("layer",) or ("layer", "head"); everything else is
        averaged. Dimensions that the statistic does not have are left out.

    Returns
    -------
    xarray.Dataset
        `value`, `low` and `high` over (model, *along), in the units of the statistic: the mean and
        its 95 % interval over documents for these checkpoints on new text, NaN where there are
        too few; `each` over (model, seed, *along): the mean of every training; `sequences`,
        `documents` and `trainings` over model: how many there are; `note` over model: what a
        reader has to know of the interval.
    """
    values = with_models(values)
    kept = [dim for dim in along if dim in values.dims]
    each = mean_of(values, (axes.MODEL, axes.SEED, *kept))
    mean = mean_of(values, (axes.MODEL, *kept))
    found = xr.Dataset({"value": mean, "each": each}, attrs=values.attrs)
    dims = (axes.MODEL, *kept)
    low, high = np.full(mean.shape, np.nan), np.full(mean.shape, np.nan)
    counts = np.zeros((3, len(values[axes.MODEL])), dtype=int)
    notes: list[str] = []
    for at in range(values.sizes[axes.MODEL]):
        one = values.isel({axes.MODEL: at})
        parts = per_sequence(one, kept)
        interval = profile(parts.values, parts.documents, weights=parts.weights)
        low[at], high[at] = interval.low, interval.high
        counts[:, at] = _counts(one, parts)
        notes.append(interval.note.rstrip("."))
    found = found.assign(low=(dims, low), high=(dims, high), note=(axes.MODEL, notes))
    names = ("sequences", "documents", "trainings")
    return found.assign({n: (axes.MODEL, row) for n, row in zip(names, counts, strict=True)})


def mean_of(values: xr.DataArray, along: Sequence[str] = ()) -> xr.DataArray:
    """Return the mean along dimensions: over sequences by their rows, then all else equally."""
    rows = weights_of(values)
    found = values.weighted(rows).mean(axes.SEQUENCE) if _averages(values, along) else values
    rest = [dim for dim in found.dims if dim not in along]
    return found.mean(rest).transpose(*(dim for dim in along if dim in found.dims))


def per_sequence(values: xr.DataArray, along: Sequence[str] = ()) -> PerSequence:
    """Return what each sequence adds to the mean of one model along dimensions.

    `values` is of one model: over sequence and any of seed, layer, head, span and others.
    """
    order = (axes.SEQUENCE, *along)
    rest = [dim for dim in values.dims if dim not in order]
    weights = weights_of(values).broadcast_like(values).where(values.notnull(), 0.0)
    whole = weights.sum(axes.SEQUENCE)
    share = (weights / whole.where(whole > 0)).fillna(0.0)
    total = (share * values.fillna(0.0)).sum(rest).transpose(*order).values
    weight = share.sum(rest).transpose(*order).values
    held = weight > 0
    means = np.divide(total, weight, out=np.full(total.shape, np.nan), where=held)
    return PerSequence(means, weight, documents_of(values))


def weights_of(values: xr.DataArray) -> xr.DataArray:
    """Return the queries behind each number, one for what is not of queries."""
    if ROWS in values.coords:
        rows = values[ROWS].variable
        return xr.DataArray(rows, coords={dim: values[dim] for dim in rows.dims})
    return xr.ones_like(values[axes.SEQUENCE], dtype=float)


def documents_of(values: xr.DataArray) -> np.ndarray:
    """Return the document of each sequence of one model, the sequence itself where unknown."""
    if axes.DOCUMENT in values.coords:
        return np.asarray([str(name) for name in values[axes.DOCUMENT].values])
    return np.asarray([str(at) for at in range(values.sizes[axes.SEQUENCE])])


def with_models(values: xr.DataArray) -> xr.DataArray:
    """Return values with the dimensions model and seed, also where one of them was selected."""
    for dim in (axes.SEED, axes.MODEL):
        if dim not in values.dims:
            values = values.expand_dims(dim)
    return values


def _averages(values: xr.DataArray, along: Sequence[str]) -> bool:
    return axes.SEQUENCE in values.dims and axes.SEQUENCE not in along


def _counts(one: xr.DataArray, parts: PerSequence) -> tuple[int, int, int]:
    held = one.notnull()
    read = held.any([dim for dim in held.dims if dim != axes.SEQUENCE]).values
    trained = held.any([dim for dim in held.dims if dim != axes.SEED])
    return int(read.sum()), len(np.unique(parts.documents[read])), int(trained.sum())
