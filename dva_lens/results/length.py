"""How attention scales with the number of visible keys: exponents of each training, by layer.

The exponential of the entropy is how many keys a query attends to. Where it grows like a power of
the number n of keys that the query can see, the exponent is the slope of the entropy over log n: 1
for uniform attention, 0 for a number of keys that stays. The weight on one key is fitted alike.
"""

# Strict but for what xarray leaves untyped in its own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.estimates import mean_of
from dva_lens.results.reader import Measurements

ENTROPY = "entropy"
FIRST_SPAN = axes.span_of(4)
"""Queries that see fewer than four keys have hardly a choice."""


def length_exponents(measurements: Measurements, name: str = ENTROPY) -> xr.DataArray:
    """Return the exponent of a statistic in the number of visible keys.

    `entropy` is a logarithm already; of any other statistic the logarithm is taken. Each bin of
    visible keys counts the same; queries that see fewer than four are left out.

    Returns
    -------
    xarray.DataArray
        The least-squares slope over (model, seed, layer), NaN with fewer than two bins.

    Raises
    ------
    KeyError
        If no training holds the statistic or the entropy.
    ValueError
        If the entropy was measured without its reference.
    """
    along = (axes.MODEL, axes.SEED, axes.LAYER, axes.SPAN)
    level = measurements.reference(ENTROPY, spans="each")
    if level is None:
        raise ValueError("The entropy was measured without what uniform attention reads.")
    found = mean_of(measurements.values(name, spans="each"), along)
    found = found.sel({axes.SPAN: found[axes.SPAN] >= FIRST_SPAN})
    keys = mean_of(level, (axes.MODEL, axes.SPAN)).sel({axes.SPAN: found[axes.SPAN]})
    with np.errstate(invalid="ignore", divide="ignore"):
        sizes = found.values if name == ENTROPY else np.log(found.values)
    place = np.broadcast_to(keys.values, (found.sizes[axes.MODEL], sizes.shape[-1]))
    slopes = _slope(place[:, None, None], sizes)
    return found.isel({axes.SPAN: 0}, drop=True).copy(data=slopes)


def _slope(place: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the slope of a line by least squares over the last axis, where both are finite."""
    held = np.isfinite(place) & np.isfinite(sizes)
    count = held.sum(-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = np.where(held, place, 0.0).sum(-1, keepdims=True) / count
        away = np.where(held, place - middle, 0.0)
        slope = (away * np.where(held, sizes, 0.0)).sum(-1) / (away**2).sum(-1)
    return np.where(count[..., 0] > 1, slope, np.nan)
