"""Join the numbers of several trainings into one array, NaN where a training or a part lacks."""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from dva_lens import axes
from dva_lens.results.grid import Grid
from dva_lens.results.measurement import OF_SEQUENCES
from dva_lens.results.spans import ROWS

Place = tuple[int, int]
_ORDER = (axes.STEP, axes.SEQUENCE, axes.LAYER, axes.HEAD, axes.KV_HEAD, axes.SPAN)
_OF_TEXT = (ROWS, *OF_SEQUENCES)


def joined(
    parts: Mapping[Place, Grid], models: Sequence[str], seeds: Sequence[int]
) -> xr.DataArray:
    """Return one array over (model, seed, ...) from grids by (place of model, place of seed).

    Dimensions that a part lacks are those along which it is constant. Labels of every dimension
    are those that any part has.
    """
    labels = {dim: _labels(parts.values(), dim) for dim in _dimensions(parts.values())}
    found = np.full((len(models), len(seeds), *map(len, labels.values())), np.nan)
    for place, part in parts.items():
        where = [_places(part.labels.get(dim, held), held) for dim, held in labels.items()]
        found[place][np.ix_(*where)] = part.over(tuple(labels))
    coords: dict[str, Any] = {axes.MODEL: list(models), axes.SEED: list(seeds), **labels}
    return xr.DataArray(found, coords=coords, dims=tuple(coords))


def over_texts(found: Mapping[str, xr.DataArray]) -> xr.DataArray:
    """Return arrays by text as one over (model, seed, text, ...), NaN where a text is shorter."""
    arrays = list(found.values())
    own = [name for name in _OF_TEXT if all(name in array.coords for array in arrays)]
    kept = [array.drop_vars(set(_OF_TEXT) - set(own), errors="ignore") for array in arrays]
    array = xr.concat(
        kept,
        pd.Index(list(found), name=axes.TEXT),
        coords=own,
        compat="override",
        join="outer",
        combine_attrs="drop_conflicts",
    )
    if ROWS in array.coords:
        array = array.assign_coords({ROWS: array[ROWS].fillna(0.0)})
    return array.transpose(axes.MODEL, axes.SEED, axes.TEXT, ...)


def needed(values: xr.DataArray, *, but: Sequence[str] = ()) -> xr.DataArray:
    """Drop the dimensions along which an array is constant, but some; NaN fits any number."""
    for dim in [dim for dim in values.dims if dim not in but]:
        most, least = (_reduced(values, dim, pick) for pick in (np.fmax, np.fmin))
        if np.array_equal(most, least, equal_nan=True):
            values = values.isel({dim: 0}, drop=True).copy(data=most)
    return values


def _reduced(values: xr.DataArray, dim: Any, pick: np.ufunc) -> np.ndarray:
    return pick.reduce(values.values, axis=values.get_axis_num(dim))


def _dimensions(parts: Collection[Grid]) -> tuple[str, ...]:
    held = dict.fromkeys(dim for part in parts for dim in part.dims)
    known = [dim for dim in _ORDER if dim in held]
    return (*known, *(dim for dim in held if dim not in _ORDER))


def _labels(parts: Collection[Grid], dim: str) -> np.ndarray:
    each = [part.labels[dim] for part in parts if dim in part.labels]
    if all(np.array_equal(labels, each[0]) for labels in each[1:]):
        return each[0]
    found = dict.fromkeys(label for labels in each for label in labels.tolist())
    return np.array(sorted(found) if dim in _ORDER else list(found))


def _places(own: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return where labels stand among those that any part has."""
    if np.array_equal(own, held):
        return np.arange(len(held))
    at = {label: place for place, label in enumerate(held.tolist())}
    return np.array([at[label] for label in own.tolist()], dtype=int)
