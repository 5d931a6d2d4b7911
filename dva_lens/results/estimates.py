"""Means of what the reader returns, with intervals over documents: what every view shows.

Rows weight documents within a layer; layers, heads and seeds weigh equally. So a number is first
averaged over sequences, by the rows behind it, and then over everything else, where what has no
number stays out.
"""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Shaped

from dva_lens import axes
from dva_lens.results.shares import documents_of, parts_of, weights_of
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
    if axes.TEXT in along and axes.TEXT in values.dims:
        return _by_text(values, along)
    values = with_models(values)
    kept = [dim for dim in along if dim in values.dims]
    each = mean_of(values, (axes.MODEL, axes.SEED, *kept))
    mean = each.mean(axes.SEED)
    tops, bottoms = parts_of(values, (axes.MODEL, axes.SEED, axes.SEQUENCE, *kept))
    held = bottoms.reshape(*bottoms.shape[:3], -1).sum(-1) > 0
    ends = np.full((2, *mean.shape), np.nan)
    counts = np.zeros((2, len(held)), dtype=int)
    notes = np.full(len(held), "", dtype=object)
    for models, sequences, documents in _alike(held.sum(1) > 0, documents_of(values)):
        found = _over_seeds(tops[models][:, :, sequences], bottoms[models][:, :, sequences])
        interval = profile(found[0], documents, weights=found[1])
        ends[:, models] = interval.low, interval.high
        counts[:, models] = [[len(sequences)], [len(np.unique(documents))]]
        notes[models] = interval.note.rstrip(".")
    facts = {"sequences": counts[0], "documents": counts[1], "trainings": (held.sum(2) > 0).sum(1)}
    facts |= {"note": notes.astype(str)}
    numbers = {"value": mean, "low": mean.copy(data=ends[0]), "high": mean.copy(data=ends[1])}
    return xr.Dataset(
        {**numbers, "each": each, **{name: (axes.MODEL, row) for name, row in facts.items()}},
        attrs=values.attrs,
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


def _by_text(values: xr.DataArray, along: Sequence[str]) -> xr.Dataset:
    """Return estimates of every text by itself: each has documents of its own."""
    rest = [dim for dim in along if dim != axes.TEXT]
    found = [estimate(values.sel({axes.TEXT: text}), rest) for text in values[axes.TEXT]]
    return xr.concat(found, values[axes.TEXT], combine_attrs="drop_conflicts")


def _over_seeds(
    tops: Float[np.ndarray, "model seed sequence *cells"],
    bottoms: Float[np.ndarray, "model seed sequence *cells"],
) -> tuple[Float[np.ndarray, "sequence model *cells"], Float[np.ndarray, "sequence model *cells"]]:
    """Return what each sequence adds to the mean over seeds, and its weight.

    A seed that read nothing stays out; the mean is NaN where a sequence adds nothing.
    """
    weight = bottoms.sum(1)
    means = np.full(weight.shape, np.nan)
    np.divide(tops.sum(1), weight, out=means, where=weight > 0)
    return means.swapaxes(0, 1), weight.swapaxes(0, 1)


def _alike(
    read: Bool[np.ndarray, "model sequence"], documents: Shaped[np.ndarray, "*model sequence"]
) -> Iterator[tuple[list[int], np.ndarray, np.ndarray]]:
    """Yield models that read the same sequences, which these are, and their documents."""
    groups: dict[tuple[bytes, bytes], list[int]] = {}
    names = np.broadcast_to(documents, read.shape)
    for model, held in enumerate(read):
        if held.any():
            groups.setdefault((held.tobytes(), names[model, held].tobytes()), []).append(model)
    for models in groups.values():
        sequences = np.flatnonzero(read[models[0]])
        yield models, sequences, names[models[0], sequences]
