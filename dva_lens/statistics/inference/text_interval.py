"""Intervals for means over texts: documents are the units, whatever sequences they hold.

Documents are the units because sequences of one document resemble each other; sequences are only
where there is a single document. A mean weighted by size is a ratio of two sums over documents.
Its error is that of a weighted mean whose documents vary alike, each residual enlarged by what
the mean took of it, and its degrees of freedom are those of that error (Satterthwaite; Bell &
McCaffrey 2002), because a few long documents may make up most of both. With documents of one
size it is Student's t interval. Percentiles of a bootstrap are too narrow where length goes with
the value (docs/calibration.md).
"""

# Strict but for what scipy leaves untyped in its own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from dva_lens.statistics.inference import student

FEW = 8
_CELLS_AT_ONCE = 4096


@final
@dataclass(frozen=True)
class Interval:
    """Weighted means over texts with intervals, the p value of zero, and how many units.

    The p value and the interval say the same: one is below 1 - level where the other leaves out
    zero.
    """

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
) -> Interval:
    """Return sum of totals over sum of weights with its interval, for every cell.

    Parameters
    ----------
    total, weight : array
        Over (sequence, *cells), as `sums` gives them.
    documents : sequence of str
        The document of each sequence.
    level : float
        Coverage of the interval.
    """
    tops, bottoms, note = _by_unit(total, weight, documents)
    units, shape = len(tops), total.shape[1:]
    tops, bottoms = tops.reshape(units, -1), bottoms.reshape(units, -1)
    found = np.empty((3, tops.shape[1]))
    for start in range(0, tops.shape[1], _CELLS_AT_ONCE):
        part = slice(start, start + _CELLS_AT_ONCE)
        found[:, part] = _mean_and_error(tops[:, part], bottoms[:, part])
    mean, error, freedom = found
    half = student.quantile(0.5 + level / 2, freedom) * error
    return Interval(
        mean=mean.reshape(shape),
        low=(mean - half).reshape(shape),
        high=(mean + half).reshape(shape),
        p=t_test(mean, error, freedom).reshape(shape),
        error=error.reshape(shape),
        freedom=freedom.reshape(shape),
        units=units,
        note=note,
    )


def t_test(mean: np.ndarray, error: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Return the two-sided p value of a mean of zero; without spread it is 1 at zero, else 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * student.upper_tail(np.abs(mean) / error, freedom)
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
    note = "" if len(names) >= FEW else f"{len(names)} documents: a wide interval"
    return tops, np.tensordot(pick, weight, axes=1), note


def _mean_and_error(
    tops: np.ndarray, bottoms: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ratios of sums over units, their standard errors and the freedom of these.

    With h_i the share of a unit, a residual of units that vary alike has the variance
    1 - 2 h_i + sum h² of a unit; dividing by it makes the error right for them, and keeps it near
    for others. NaN where fewer than two units hold anything.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        whole = bottoms.sum(0)
        mean, share = tops.sum(0) / whole, bottoms / whole
        residual = (tops - mean * bottoms) / whole
        units = (bottoms > 0).sum(0)
        rest = np.maximum((share**2).sum(0) - share**2, 0.0)
        part = 1.0 / ((1.0 - share) ** 2 + rest)
        error = np.sqrt((residual**2 * part).sum(0))
        freedom = _freedom(share, share**2 * part, units)
    # What is left of constant data is rounding, not spread.
    rounding = 1e-12 * np.where(np.isfinite(mean), np.abs(mean), 0.0)
    error = np.where(units > 1, np.where(error <= rounding, 0.0, error), np.nan)
    return mean, error, np.where(units > 1, freedom, np.nan)


def _freedom(share: np.ndarray, taken: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Return the degrees of freedom of sum taken_i (y_i - mean)² of units that vary alike.

    It is 2 E² / Var (Satterthwaite), with the form's matrix A = (1 - 1h')' diag(taken) (1 - 1h'):
    trace(A)² / trace(AA). That is low where one unit is most of the mean, for its error and its
    deviation then go together; half of what is missing of one more degree makes up for it, and
    intervals cover as they should (docs/calibration.md). Units of one size have units - 1.
    """
    squares, total, both = (share**2).sum(0), taken.sum(0), (taken * share).sum(0)
    trace = total - 2 * both + total * squares
    product = (
        (taken**2).sum(0) * (1 + 2 * squares)
        - 4 * (taken**2 * share).sum(0)
        + 2 * total * (taken * share**2).sum(0)
        + 2 * both**2
        - 4 * total * both * squares
        + (total * squares) ** 2
    )
    found = trace**2 / product
    return found + 0.5 * (1 - found / (units - 1))
