"""Claiming that two things are equal: two one-sided tests against a margin set beforehand."""

# Strict but for what scipy leaves untyped in its own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

import numpy as np

from dva_lens.statistics.inference import student

Number = float | int
Numbers = np.ndarray | float | int


def equivalence(mean: Numbers, error: Numbers, freedom: Numbers, margin: Number) -> np.ndarray:
    """Return the p value of |difference| being at least `margin` (two one-sided t tests)."""
    _check(margin)
    mean, error = np.asarray(mean, dtype=np.float64), np.asarray(error, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        above = student.upper_tail((mean + margin) / error, freedom)
        below = student.upper_tail((margin - mean) / error, freedom)
    exact = np.where(np.abs(mean) < margin, 0.0, 1.0)
    return np.where(error == 0, exact, np.maximum(above, below))


def equivalence_power(
    error: Number, freedom: Number, margin: Number, *, truth: Number = 0.0, alpha: Number = 0.05
) -> float:
    """Return the chance of claiming equality within `margin` when the difference is `truth`."""
    _check(margin)
    if error == 0:
        return 1.0 if abs(truth) < margin else 0.0
    from scipy import stats  # takes a second, which is not spent where only verdicts are read

    # Owen's formula needs an integral over the spread; the chance of both tests is taken over it.
    quantile = student.quantile(1 - alpha, freedom)
    widest = margin / (quantile * error)
    spread = np.sqrt(stats.chi2.ppf((np.arange(2000) + 0.5) / 2000, freedom) / freedom)
    reach = np.where(spread < widest, margin / error - quantile * spread, np.nan)
    both = stats.norm.cdf(reach - truth / error) - stats.norm.cdf(-reach - truth / error)
    return float(np.nansum(both) / len(spread))


def power(error: Number, freedom: Number, difference: Number, *, alpha: Number = 0.05) -> float:
    """Return the chance that a two-sided t test finds a true difference of this size."""
    if error == 0:
        return 1.0 if difference else float(alpha)
    from scipy import stats

    quantile = student.quantile(1 - alpha / 2, freedom)
    shift = difference / error
    found = float(stats.nct.sf(quantile, freedom, shift))
    opposite = float(stats.nct.cdf(-quantile, freedom, shift))  # NaN where too small to compute
    return found + float(np.nan_to_num(opposite))


def detectable(
    error: Number, freedom: Number, *, chance: Number = 0.8, alpha: Number = 0.05
) -> float:
    """Return the smallest true difference that a two-sided t test finds with this chance.

    Raises
    ------
    ValueError
        `chance` does not lie strictly between 0 and 1.
    """
    if not 0 < chance < 1:
        raise ValueError(f"chance must lie between 0 and 1, got {chance}.")
    from scipy.optimize import brentq

    high = 1.0
    while power(1.0, freedom, high, alpha=alpha) < chance:
        high *= 2

    def short_of(size: float) -> float:
        return power(1.0, freedom, size, alpha=alpha) - chance

    return float(error) * float(np.asarray(brentq(short_of, 0.0, high)))


def _check(margin: Number) -> None:
    if not margin > 0:
        raise ValueError(f"margin must be positive and set before looking, got {margin}.")
