"""Heads as distributions: quantiles and distances, never head by head across trainings.

Head 3 of one training has nothing to do with head 3 of another, and pairing heads by the number
under test would manufacture agreement. So the collection of heads is compared as a whole.
"""

# Strict but for what scipy leaves untyped in its own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

import numpy as np
from jaxtyping import Float

QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


def head_quantiles(
    values: Float[np.ndarray, "*cells head"], at: tuple[float, ...] = QUANTILES
) -> Float[np.ndarray, "*cells quantile"]:
    """Return quantiles over heads, leaving out NaN; NaN where no head has a value."""
    found = np.full((*values.shape[:-1], len(at)), np.nan)
    some = np.isfinite(values).any(-1)
    if some.any():
        found[some] = np.nanquantile(values[some], at, axis=-1).T
    return found


def wasserstein(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return how far one collection of numbers has to move to become the other, in its units.

    Both are flattened and NaN left out; their sizes may differ. NaN where one is empty.
    """
    ours, theirs = ours[np.isfinite(ours)], theirs[np.isfinite(theirs)]
    if not ours.size or not theirs.size:
        return float("nan")
    from scipy import stats  # takes a second, which is not spent where no distance is asked for

    return float(stats.wasserstein_distance(ours, theirs))


def wasserstein_between_seeds(
    ours: Float[np.ndarray, "seed *cells"], theirs: Float[np.ndarray, "other *others"]
) -> tuple[Float[np.ndarray, "pair"], Float[np.ndarray, "twin"]]:
    """Return distances between models for all pairs of seeds, and within them as a yardstick."""
    across = [wasserstein(one, other) for one in ours for other in theirs]
    within = [
        wasserstein(model[first], model[second])
        for model in (ours, theirs)
        for first in range(len(model))
        for second in range(first)
    ]
    return np.array(across), np.array(within)


def mean_distance(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Return the mean distance between two models over pairs of seeds, and the mean within them.

    NaN where there is no pair with a distance.
    """
    across, within = wasserstein_between_seeds(ours, theirs)
    means = (part[np.isfinite(part)] for part in (across, within))
    first, second = (float(part.mean()) if part.size else float("nan") for part in means)
    return first, second


def rank_agreement(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return Kendall's tau-b between two definitions over the same heads, NaN left out.

    Raises
    ------
    ValueError
        The two arrays differ in shape.
    """
    if ours.shape != theirs.shape:
        raise ValueError(
            f"Both definitions must be on the same heads, got {ours.shape} and {theirs.shape}."
        )
    held = np.isfinite(ours) & np.isfinite(theirs)
    if held.sum() < 2 or np.ptp(ours[held]) == 0 or np.ptp(theirs[held]) == 0:
        return float("nan")
    from scipy import stats

    return float(np.asarray(stats.kendalltau(ours[held], theirs[held]))[0])
