"""Join the numbers of several trainings into one array, NaN where a training or a part lacks."""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from dva_lens import axes

Place = tuple[int, int]
_ORDER = (axes.STEP, axes.SEQUENCE, axes.LAYER, axes.HEAD, axes.KV_HEAD, axes.SPAN)


def joined(
    parts: Mapping[Place, xr.DataArray], models: Sequence[str], seeds: Sequence[int]
) -> xr.DataArray:
    """Return one array over (model, seed, ...) from arrays by (place of model, place of seed).

    Dimensions that a part lacks are those along which it is constant. Labels of every dimension
    are those that any part has.
    """
    dims = _dimensions(parts.values())
    labels = {dim: _labels(parts.values(), dim) for dim in dims}
    shape = (len(models), len(seeds), *(len(index) for index in labels.values()))
    found = np.full(shape, np.nan)
    for place, part in parts.items():
        own = [dim for dim in dims if dim in part.dims]
        ordered = part.transpose(*own).values
        lifted = ordered[tuple(slice(None) if dim in own else None for dim in dims)]
        where = [
            labels[dim].get_indexer(pd.Index(part[dim].values))
            if dim in own
            else np.arange(len(labels[dim]))
            for dim in dims
        ]
        found[place][np.ix_(*where)] = lifted
    coords: dict[str, Any] = {axes.MODEL: list(models), axes.SEED: list(seeds)}
    coords |= {dim: index.values for dim, index in labels.items()}
    return xr.DataArray(found, coords=coords, dims=(axes.MODEL, axes.SEED, *dims))


def needed(values: xr.DataArray, *, but: Sequence[str] = ()) -> xr.DataArray:
    """Drop the dimensions along which an array is constant, but some; NaN fits any number."""
    for dim in [dim for dim in values.dims if dim not in but]:
        most, least = (_reduced(values, dim, pick) for pick in (np.fmax, np.fmin))
        if np.array_equal(most, least, equal_nan=True):
            values = values.isel({dim: 0}, drop=True).copy(data=most)
    return values


def _reduced(values: xr.DataArray, dim: Any, pick: np.ufunc) -> np.ndarray:
    return pick.reduce(values.values, axis=values.get_axis_num(dim))


def _dimensions(parts: Any) -> tuple[str, ...]:
    held = dict.fromkeys(str(dim) for part in parts for dim in part.dims)
    known = [dim for dim in _ORDER if dim in held]
    return (*known, *(dim for dim in held if dim not in _ORDER))


def _labels(parts: Any, dim: str) -> pd.Index:
    found: dict[Any, None] = {}
    for part in parts:
        if dim in part.dims:
            found |= dict.fromkeys(part[dim].values.tolist())
    return pd.Index(sorted(found) if dim in _ORDER else list(found))
