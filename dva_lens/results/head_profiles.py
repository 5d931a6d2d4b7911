"""Every head as a profile: what it reads in each statistic of heads, beside others of its kind."""

# Strict but for what xarray leaves untyped in its own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.estimates import mean_of
from dva_lens.results.reader import Measurements

FEATURES = {
    "normalised_entropy": False,
    "first_key_mass": True,
    "largest_weight": True,
    "sink_output_share": False,
    "written_value_drain": True,
    "previous_score": True,
    "duplicate_score": True,
    "induction_score": True,
    "sink_free_distance": False,
}
"""What heads are compared in, and whether in powers: weights and ratios of sizes, whose tails are
long. How dynamic values are is no feature: it is zero in all heads of static forms."""
LEAST = 1e-6


@final
@dataclass(frozen=True)
class HeadProfiles:
    """Heads by number: their models, trainings, layers and places, and what they read.

    `training` numbers the trainings. A head that lacks a number in any feature is left out.
    """

    features: tuple[str, ...]
    values: np.ndarray
    model: np.ndarray
    training: np.ndarray
    layer: np.ndarray
    head: np.ndarray

    @property
    def comparable(self) -> np.ndarray:
        """The numbers over (head, feature), logarithms where features are compared in powers."""
        powers = np.array([FEATURES.get(name, False) for name in self.features])
        return np.where(powers, np.log(np.maximum(self.values, LEAST)), self.values)


def head_profiles(measurements: Measurements, features: Sequence[str]) -> HeadProfiles:
    """Return the profiles of all heads of all trainings.

    Raises
    ------
    KeyError
        If no training holds one of the statistics.
    """
    columns = [_of_heads(measurements, name) for name in features]
    sizes = {dim: columns[0].sizes[dim] for dim in columns[0].dims}
    widest = max(column.sizes[axes.HEAD] for column in columns)
    sizes[axes.HEAD] = widest
    values = np.stack([_spread(column, widest) for column in columns], axis=-1)
    flat = values.reshape(-1, len(features))
    held = np.isfinite(flat).all(-1)
    places = np.indices(tuple(sizes.values())).reshape(len(sizes), -1)[:, held]
    names = columns[0][axes.MODEL].values.astype(str)
    _, training = np.unique(places[0] * sizes[axes.SEED] + places[1], return_inverse=True)
    return HeadProfiles(
        tuple(features), flat[held], names[places[0]], training, places[2], places[3]
    )


def _of_heads(measurements: Measurements, name: str) -> xr.DataArray:
    """Return a statistic over (model, seed, layer, head)."""
    values = measurements.values(name)
    if axes.KV_HEAD in values.dims:
        values = values.rename({axes.KV_HEAD: axes.HEAD})
    return mean_of(values, (axes.MODEL, axes.SEED, axes.LAYER, axes.HEAD))


def _spread(column: xr.DataArray, heads: int) -> np.ndarray:
    """Give every head the number of its group where several share keys and values."""
    values = column.values
    if values.shape[-1] == heads:
        return values
    groups = values.shape[-1]
    return values[..., np.arange(heads) * groups // heads]
