"""From estimates of results to what the figures of views draw."""

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.views.readings import Reading


def reading_of(found: xr.Dataset) -> Reading:
    """Return what `estimate` found for one model; trainings without a number are left out."""
    each = found["each"].values if "each" in found else found["value"].values[None]
    held = np.isfinite(each.reshape(len(each), -1)).any(-1)
    return Reading(
        found["value"].values,
        found["low"].values,
        found["high"].values,
        each[held] if held.any() else each[:1],
        int(found["sequences"]),
        int(found["documents"]),
        str(found["note"].item()),
    )


def of_model(found: xr.Dataset, model: str) -> xr.Dataset:
    """Return the estimates of one model."""
    return found.sel({axes.MODEL: model})
