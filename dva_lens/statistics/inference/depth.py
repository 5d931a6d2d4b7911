"""Summaries over depth that models with different numbers of layers share."""

import numpy as np
from jaxtyping import Bool, Float

Profile = Float[np.ndarray, "*cells layer"]
MIDDLE_HALF, SLOPE, MEAN = "middle half", "slope", "mean"
FEW_LAYERS = 2
CONTRASTS: dict[str, str] = {
    MIDDLE_HALF: "mean over the middle half of the layers",
    SLOPE: "change from the input to the output of the model, by a line through the layers",
    MEAN: "mean over all layers",
}
FORMER_NAMES = {"all layers": MEAN}


def relative_depth(layers: int) -> Float[np.ndarray, "layer"]:
    """Return the middle of each layer's share of the depth, between 0 and 1.

    Raises
    ------
    ValueError
        `layers` is less than 1.
    """
    if layers < 1:
        raise ValueError(f"layers must be at least 1, got {layers}.")
    return (np.arange(layers) + 0.5) / layers


def coefficients(contrast: str, held: Bool[np.ndarray, "*cells layer"]) -> Profile:
    """Return what each layer counts in a contrast over depth, zero where `held` says no value.

    The contrast is the sum of coefficients times values. NaN where it cannot be formed: no layer
    of the middle half has a value, or fewer than two layers for a slope.

    Raises
    ------
    KeyError
        If there is no such contrast.
    """
    contrast = FORMER_NAMES.get(contrast, contrast)
    if contrast not in CONTRASTS:
        raise KeyError(f"No contrast {contrast!r}; there are: {', '.join(CONTRASTS)}.")
    place = relative_depth(held.shape[-1])
    if contrast == SLOPE:
        count = held.sum(-1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            middle = (held * place).sum(-1, keepdims=True) / count
            offset = np.where(held, place - middle, 0.0)
            found = offset / (offset**2).sum(-1, keepdims=True)
        return np.where(count > 1, found, np.nan)
    chosen = held & (contrast == MEAN or ((place >= 0.25) & (place <= 0.75)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return chosen / chosen.sum(-1, keepdims=True)


def default_contrasts(layers: int) -> tuple[str, ...]:
    """Return how models of so many layers are compared: middle half and slope, else the mean.

    One or two layers have no middle half, and a line through two points is their difference.
    """
    return (MIDDLE_HALF, SLOPE) if layers > FEW_LAYERS else (MEAN,)
