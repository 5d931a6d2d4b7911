"""Summaries over depth that models with different numbers of layers share."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Profile = Float[np.ndarray, "*cells layer"]


def relative_depth(layers: int) -> Float[np.ndarray, "layer"]:
    """Return the middle of each layer's share of the depth, between 0 and 1."""
    if layers < 1:
        raise ValueError(f"layers must be at least 1, got {layers}.")
    return (np.arange(layers) + 0.5) / layers


def all_layers(values: Profile) -> np.ndarray:
    """Return the mean over all layers that have a value."""
    return _mean(values, np.ones(values.shape[-1], dtype=bool))


def middle_half(values: Profile) -> np.ndarray:
    """Return the mean over the layers between a quarter and three quarters of the depth.

    A model of one or two layers has no layer there but its middle ones, so they count.
    """
    place = relative_depth(values.shape[-1])
    return _mean(values, (place >= 0.25) & (place <= 0.75))


def slope(values: Profile) -> np.ndarray:
    """Return the least-squares change from the input to the output of the model.

    NaN where fewer than two layers have a value.
    """
    place = relative_depth(values.shape[-1])
    held = np.isfinite(values)
    count = held.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = (held * place).sum(-1) / count
        apart = np.where(held, place - middle[..., None], 0.0)
        found = (apart * np.where(held, values, 0.0)).sum(-1) / (apart**2).sum(-1)
    return np.where(count > 1, found, np.nan)


def _mean(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    held = np.isfinite(values) & chosen
    count = held.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, np.where(held, values, 0.0).sum(-1) / count, np.nan)


CONTRASTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "middle half": middle_half,
    "slope": slope,
    "all layers": all_layers,
}
