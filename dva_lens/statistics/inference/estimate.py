"""A number with its interval and the question it answers; the two questions are never mixed.

*These checkpoints, new text* asks how a number would move on other texts of the same kind.
*This architecture, retrained* asks how it would move with other seeds, on these texts.
"""

# Strict but for what scipy leaves untyped in its own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from dva_lens.statistics.inference import student, text_interval

Estimand = Literal["these checkpoints, new text", "this architecture, retrained"]
NEW_TEXT: Estimand = "these checkpoints, new text"
RETRAINED: Estimand = "this architecture, retrained"
FEWEST_SEEDS = 3


@final
@dataclass(frozen=True)
class Estimate:
    """A mean with an interval, over the cells of an array.

    `p` is that of a mean of zero; `error` and `freedom` are what its t test stands on, and what
    tests against a margin need. `units_count` says how many documents, sequences or seeds the
    interval stands on, and `note` what a reader has to know, such as that seeds are too few.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    error: np.ndarray
    freedom: np.ndarray
    level: float
    estimand: Estimand
    units_count: int
    note: str = ""

    @property
    def supports_claims(self) -> bool:
        """Whether the estimand may be spoken about at all."""
        fewest = FEWEST_SEEDS if self.estimand == RETRAINED else 2
        return self.units_count >= fewest


def profile(
    values: np.ndarray,
    documents: Sequence[str] | np.ndarray,
    *,
    weights: np.ndarray | None = None,
    level: float = 0.95,
) -> Estimate:
    """Estimate the mean over texts of each cell, for these checkpoints and new text.

    Parameters
    ----------
    values : array
        Numbers over (sequence, *cells); NaN where a cell has none.
    documents : sequence of str
        The document of each sequence; documents are the units.
    weights : array, optional
        What each number counts, shaped like `values` or broadcasting to it; default: one.
    level : float
        Coverage of the interval.
    """
    found = text_interval.ratio(*text_interval.sums(values, weights), documents, level=level)
    return Estimate(
        mean=found.mean,
        low=found.low,
        high=found.high,
        p=found.p,
        error=found.error,
        freedom=found.freedom,
        level=level,
        estimand=NEW_TEXT,
        units_count=found.units,
        note=found.note,
    )


def retrained(values: np.ndarray, *, level: float = 0.95) -> Estimate:
    """Estimate the mean over seeds of each cell, for this architecture trained again.

    `values` is over (seed, *cells). One seed gives no interval; two give one that covers, but is
    too wide to be a claim and says so.
    """
    values = np.asarray(values, dtype=np.float64)
    mean, variance, count = moments(values)
    error = np.sqrt(variance / np.maximum(count, 1))
    return t_estimate(mean, error, count - 1, level=level, seeds=len(values))


def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, variance (NaN below two) and count over the first axis, leaving out NaN."""
    held = np.isfinite(values)
    count = held.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(held, values, 0.0).sum(0) / count
        squares = (np.where(held, values - mean, 0.0) ** 2).sum(0)
        variance = np.where(count > 1, squares / (count - 1), np.nan)
    return np.asarray(mean), np.asarray(variance), np.asarray(count)


def t_estimate(
    mean: np.ndarray,
    error: np.ndarray,
    freedom: np.ndarray,
    *,
    level: float,
    seeds: int,
) -> Estimate:
    """Return the t interval of a mean with a standard error, as an estimate over seeds."""
    freedom = np.where(np.asarray(freedom) > 0, freedom, np.nan)
    half = student.quantile(0.5 + level / 2, freedom) * error
    return Estimate(
        mean=np.asarray(mean),
        low=np.asarray(mean - half),
        high=np.asarray(mean + half),
        p=text_interval.t_test(mean, error, freedom),
        error=np.asarray(error),
        freedom=np.asarray(freedom),
        level=level,
        estimand=RETRAINED,
        units_count=seeds,
        note=seeds_note(seeds),
    )


def seeds_note(seeds: int) -> str:
    """Return what has to be said about so many seeds, or nothing."""
    if seeds >= FEWEST_SEEDS:
        return ""
    word = "1 seed" if seeds == 1 else f"{seeds} seeds"
    return f"{word}: no claim about architectures"
