"""Intervals for means over texts: whole documents are drawn again, all cells at once.

Documents are the units because sequences of one document resemble each other. Drawing sequences
again inside the drawn documents would count the variation within documents twice, so it is done
only where there is a single document. The percentile interval of n units is too narrow by about
sqrt((n - 1) / n) and by the normal quantile where t is due; both are put right by taking wider
percentiles (Hesterberg 2015, section 5.3). Documents of unequal size count as fewer units,
(sum w)^2 / sum w^2 (Kish). Below `FEW` of them percentiles cannot reach far enough and a t
interval with the jackknife's error stands in.
"""

# Strict but for what scipy leaves untyped in its own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy import stats

DRAWS = 2000
FEW = 8
_CELLS_AT_ONCE = 4096


@final
@dataclass(frozen=True)
class Interval:
    """Weighted means over texts with intervals, the p value of zero, and how many units."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    error: np.ndarray
    freedom: np.ndarray
    units: int
    note: str


def sums(values: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return what each sequence adds to the top and the bottom of a weighted mean; NaN adds 0.

    Raises
    ------
    ValueError
        `values` is a single number.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim == 0:
        raise ValueError("values must have sequences on the first axis, got a single number.")
    held = np.isfinite(values)
    given = np.ones(()) if weights is None else np.asarray(weights, dtype=np.float64)
    weight = np.where(held, np.broadcast_to(given, values.shape), 0.0)
    return np.where(held, values, 0.0) * weight, weight


def ratio(
    total: np.ndarray,
    weight: np.ndarray,
    documents: Sequence[str] | np.ndarray,
    *,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """Return sum of totals over sum of weights with its interval, for every cell.

    Parameters
    ----------
    total, weight : array
        Over (sequence, *cells), as `sums` gives them.
    documents : sequence of str
        The document of each sequence.
    level, draws, seed
        Coverage of the interval, bootstrap draws, and their seed.
    """
    tops, bottoms, note = _by_unit(total, weight, documents)
    units, shape = len(tops), total.shape[1:]
    tops, bottoms = tops.reshape(units, -1), bottoms.reshape(units, -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = tops.sum(0) / bottoms.sum(0)
        alike = bottoms.sum(0) ** 2 / (bottoms**2).sum(0)
    error = _jackknife_error(tops, bottoms, mean)
    freedom = np.where(alike > 1 + 1e-9, alike - 1, np.nan)
    half = stats.t.ppf(0.5 + level / 2, freedom) * error
    low, high = mean - half, mean + half
    many = alike >= FEW - 1e-9
    if many.any():
        wider = np.sqrt(alike / freedom) * stats.t.ppf(0.5 + level / 2, freedom)
        low[many], high[many] = _percentiles(
            tops[:, many], bottoms[:, many], stats.norm.cdf(-wider[many]), draws=draws, seed=seed
        )
    p = t_test(mean, error, freedom)
    return Interval(
        mean=mean.reshape(shape),
        low=low.reshape(shape),
        high=high.reshape(shape),
        p=p.reshape(shape),
        error=error.reshape(shape),
        freedom=freedom.reshape(shape),
        units=units,
        note=note,
    )


def t_test(mean: np.ndarray, error: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Return the two-sided p value of a mean of zero; without spread it is 1 at zero, else 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * stats.t.sf(np.abs(mean) / error, freedom)
    exact = (np.asarray(error) == 0) & np.isfinite(freedom)
    return np.asarray(np.where(exact, np.where(np.asarray(mean) == 0, 1.0, 0.0), p))


def _by_unit(
    total: np.ndarray, weight: np.ndarray, documents: Sequence[str] | np.ndarray
) -> tuple[np.ndarray, np.ndarray, str]:
    """Return totals and weights per document, or per sequence of a single document."""
    names, belongs = np.unique(np.asarray(documents), return_inverse=True)
    if len(belongs) != len(total):
        raise ValueError(
            f"documents must name one document per sequence, got {len(belongs)} names for "
            f"{len(total)} sequences."
        )
    if len(names) == 1:
        count = len(total)
        note = (
            "1 sequence: no interval"
            if count == 1
            else "1 document: the interval speaks of further sequences of it only"
        )
        return total, weight, note
    pick = (belongs == np.arange(len(names))[:, None]).astype(np.float64)
    tops = np.tensordot(pick, total, axes=1)
    note = "" if len(names) >= FEW else f"{len(names)} documents: t interval"
    return tops, np.tensordot(pick, weight, axes=1), note


def _jackknife_error(tops: np.ndarray, bottoms: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return the standard error of a ratio of sums over units, NaN where one holds everything."""
    units = len(tops)
    with np.errstate(invalid="ignore", divide="ignore"):
        without = (tops.sum(0) - tops) / (bottoms.sum(0) - bottoms)
        error = np.sqrt((units - 1) / units * ((without - mean) ** 2).sum(0))
    # What is left of constant data is rounding, not spread.
    rounding = 1e-12 * np.where(np.isfinite(mean), np.abs(mean), 0.0)
    return np.where(error <= rounding, 0.0, error)


def _percentiles(
    tops: np.ndarray, bottoms: np.ndarray, tails: np.ndarray, *, draws: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the percentiles of each cell at its own tails."""
    units, cells = tops.shape
    generator = np.random.default_rng(seed)
    times = generator.multinomial(units, np.full(units, 1 / units), size=draws).astype(np.float64)
    low, high = np.empty(cells), np.empty(cells)
    for start in range(0, cells, _CELLS_AT_ONCE):
        part = slice(start, start + _CELLS_AT_ONCE)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = (times @ tops[:, part]) / (times @ bottoms[:, part])
        means.sort(axis=0)  # draws that met no value of a cell are NaN and go last
        last = np.isfinite(means).sum(0) - 1
        low[part] = _at(means, tails[part] * last)
        high[part] = _at(means, (1 - tails[part]) * last)
    return low, high


def _at(ordered: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return each column of sorted numbers at a place between its rows."""
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, len(ordered) - 1)
    column = np.arange(ordered.shape[1])
    share = place - below
    upper = np.where(share > 0, ordered[above, column], 0.0)
    return (1 - share) * ordered[below, column] + share * upper
