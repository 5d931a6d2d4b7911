"""Means of what the reader returns, with intervals over documents: what every view shows.

Rows weight documents within a layer; layers, heads and seeds weigh equally. So a number is first
averaged over sequences, by the rows behind it, and then over everything else, where what has no
number stays out.
"""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Sequence

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.shares import Shares, shares_of, weights_of
from dva_lens.statistics.inference.estimate import profile


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

    Examples
    --------
    >>> from dva_lens.results.archive import open_archive
    >>> values = open_archive("runs/quick").values("normalised_entropy")
    >>> found = estimate(values, along=["layer"])
    >>> found["value"].dims
    ('model', 'layer')
    >>> found["trainings"].values.tolist()
    [2, 2]
    """
    values = with_models(values)
    kept = [dim for dim in along if dim in values.dims]
    each = mean_of(values, (axes.MODEL, axes.SEED, *kept))
    mean = each.mean(axes.SEED)
    low, high = np.full(mean.shape, np.nan), np.full(mean.shape, np.nan)
    counts = np.zeros((3, values.sizes[axes.MODEL]), dtype=int)
    notes: list[str] = []
    for at in range(values.sizes[axes.MODEL]):
        shares = shares_of(values.isel({axes.MODEL: at}), kept)
        means, weights = shares.over_seeds
        interval = profile(means, shares.documents, weights=weights)
        low[at], high[at] = interval.low, interval.high
        counts[:, at] = _counts(shares)
        notes.append(interval.note.rstrip("."))
    numbers = {"value": mean, "low": mean.copy(data=low), "high": mean.copy(data=high)}
    names = ("sequences", "documents", "trainings")
    facts = {name: (axes.MODEL, row) for name, row in zip(names, counts, strict=True)}
    return xr.Dataset(
        {**numbers, "each": each, **facts, "note": (axes.MODEL, notes)}, attrs=values.attrs
    )


def mean_of(values: xr.DataArray, along: Sequence[str] = ()) -> xr.DataArray:
    """Return the mean along dimensions: over sequences by rows, over layers and heads, over seeds.

    What is asked for "along" is kept, in that order; what has no number stays out.
    """
    if axes.SEQUENCE in values.dims and axes.SEQUENCE not in along:
        rows = weights_of(values).reset_coords(drop=True)
        values = values.reset_coords(drop=True).weighted(rows).mean(axes.SEQUENCE)
    inner = [dim for dim in values.dims if dim not in (*along, axes.MODEL, axes.SEED)]
    values = values.mean(inner)
    outer = [dim for dim in (axes.SEED, axes.MODEL) if dim in values.dims and dim not in along]
    return values.mean(outer).transpose(*(dim for dim in along if dim in values.dims))


def heads_of(values: xr.DataArray) -> dict[str, np.ndarray]:
    """Return the heads of every model as numbers over (seed, cell), empty if it is not of heads.

    A cell is a head of a layer, averaged over sequences; heads of different trainings have
    nothing in common but their number.
    """
    dim = next((dim for dim in (axes.HEAD, axes.KV_HEAD) if dim in values.dims), None)
    if dim is None:
        return {}
    cells = mean_of(with_models(values), (axes.MODEL, axes.SEED, axes.LAYER, dim))
    found: dict[str, np.ndarray] = {}
    for model in cells[axes.MODEL].values:
        one = cells.sel({axes.MODEL: model}).values.reshape(cells.sizes[axes.SEED], -1)
        found[str(model)] = one[np.isfinite(one).any(-1)]
    return found


def with_models(values: xr.DataArray) -> xr.DataArray:
    """Return values with the dimensions model and seed, also where one of them was selected."""
    for dim in (axes.SEED, axes.MODEL):
        if dim not in values.dims:
            values = values.expand_dims(dim)
    return values


def _counts(shares: Shares) -> tuple[int, int, int]:
    """Return how many sequences, documents and trainings have any number."""
    held = shares.bottoms.reshape(*shares.bottoms.shape[:2], -1) > 0
    read = held.any((0, 2))
    return int(read.sum()), len(np.unique(shares.documents[read])), int(held.any((1, 2)).sum())
