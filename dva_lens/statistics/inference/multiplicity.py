"""Many comparisons at once: Holm for the claims, Benjamini-Hochberg for exploration.

NaN stands for a comparison that could not be made; it stays NaN and does not count.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

P = Float[np.ndarray, "*tests"]


CORRECTIONS = (
    "Many comparisons at once are corrected: p values of the primary statistics by Holm over all "
    "their contrasts, so that the chance of any false claim stays at 5 %; those of all other "
    "statistics, marked exploratory, by Benjamini and Hochberg within the statistic, so that the "
    "expected share of false finds does."
)
"""How `results.compare` corrects, for whoever shows its verdicts."""


def holm(p: P) -> P:
    """Return p values adjusted so that the chance of any false claim stays within the level."""
    return _adjusted(p, _holm_flat)


def benjamini_hochberg(p: P) -> P:
    """Return p values adjusted so that the expected share of false finds stays within a level."""
    return _adjusted(p, _benjamini_hochberg_flat)


def _adjusted(p: P, method: Callable[[np.ndarray], np.ndarray]) -> P:
    p = np.asarray(p, dtype=np.float64)
    held = np.isfinite(p)
    if ((p[held] < 0) | (p[held] > 1)).any():
        worst = p[held][(p[held] < 0) | (p[held] > 1)][0]
        raise ValueError(f"p values must lie between 0 and 1, got {worst}.")
    found = np.full(p.shape, np.nan)
    if held.any():
        found[held] = method(p[held])
    return found


def _holm_flat(p: np.ndarray) -> np.ndarray:
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty(len(p))
    found[order] = np.minimum(stepped, 1.0)
    return found


def _benjamini_hochberg_flat(p: np.ndarray) -> np.ndarray:
    order = np.argsort(p, kind="stable")
    scaled = p[order] * (len(p) / np.arange(1, len(p) + 1))
    found = np.empty(len(p))
    found[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return found
