"""Comparing models over depth: both estimands, the same against the same, adjusted p, in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import final

import numpy as np

from dva_lens.statistics.inference.contrasts import (
    same_against_same,
    seed_contrasts,
    text_contrast,
)
from dva_lens.statistics.inference.estimate import Estimate
from dva_lens.statistics.inference.multiplicity import holm


@final
@dataclass(frozen=True)
class Comparison:
    """One model minus the baseline in one statistic, summarised over depth in one way.

    `text` speaks of these checkpoints on new text and `retrained` of the architectures; `same` is
    what two halves of the baseline's seeds differ by on the same texts, None with one seed.
    The adjusted p values are NaN until the whole family has been seen. `primary` says whether the
    family is that of the claims, or one to explore by.
    """

    statistic: str
    model: str
    baseline: str
    contrast: str
    text: Estimate
    retrained: Estimate
    same: Estimate | None
    text_adjusted: float = float("nan")
    retrained_adjusted: float = float("nan")
    primary: bool = True

    @property
    def muted(self) -> bool:
        """Whether seeds of the baseline differ from each other by more than the model does."""
        return self.same is not None and outdone(float(self.text.mean), float(self.same.mean))

    @property
    def word(self) -> str:
        """What may be said: "higher", "lower" or "undecided".

        It is of architectures where seeds allow it, else of the checkpoints, and undecided where
        the same against the same differs by more.
        """
        if self.muted:
            return "undecided"
        if self.retrained.supports_claims:
            return _word(self.retrained, self.retrained_adjusted)
        return _word(self.text, self.text_adjusted)

    @property
    def verdict(self) -> str:
        """The word, and what limits it."""
        if self.muted:
            return f"undecided (seeds of {self.baseline} differ by more)"
        if self.retrained.supports_claims:
            return self.word
        return f"{self.word} for these checkpoints ({self.retrained.note})"


def compare_cells(
    cells: Sequence[tuple[str, str]],
    models: Mapping[str, np.ndarray],
    documents: Sequence[str] | np.ndarray,
    *,
    baseline: str,
    weights: np.ndarray | None = None,
    level: float = 0.95,
) -> tuple[Comparison, ...]:
    """Compare every model with the baseline in many numbers at once.

    Parameters
    ----------
    cells : sequence of (statistic, contrast)
        What each cell is.
    models : mapping
        Numbers over (seed, sequence, cell) for every model, on the same texts.
    documents : sequence of str
        The document of each sequence.
    baseline : str
        The model that all others are compared with.
    weights : array, optional
        What each sequence counts, over (sequence, cell); default: one.
    level : float
        Coverage of the intervals.

    Raises
    ------
    KeyError
        If no model is called `baseline`.
    ValueError
        If the models do not have the same sequences and cells.
    """
    over_seeds = seed_contrasts(
        {name: _over_texts(values, weights) for name, values in models.items()},
        baseline,
        level=level,
    )
    theirs = models[baseline]
    same = same_against_same(theirs, documents, weights=weights, level=level)
    texts = {
        name: text_contrast(models[name], theirs, documents, weights=weights, level=level)
        for name in over_seeds
    }
    return tuple(
        Comparison(
            statistic,
            name,
            baseline,
            contrast,
            text=_cell(texts[name], at),
            retrained=_cell(over_seeds[name], at),
            same=None if same is None else _cell(same, at),
        )
        for at, (statistic, contrast) in enumerate(cells)
        for name in over_seeds
    )


def adjust(
    comparisons: Sequence[Comparison], method: Callable[[np.ndarray], np.ndarray] = holm
) -> tuple[Comparison, ...]:
    """Adjust p values over a family: `holm` for claims, `benjamini_hochberg` to explore.

    The two estimands are two families.
    """
    text = method(np.array([float(entry.text.p) for entry in comparisons]))
    retrained = method(np.array([float(entry.retrained.p) for entry in comparisons]))
    return tuple(
        replace(entry, text_adjusted=float(one), retrained_adjusted=float(other))
        for entry, one, other in zip(comparisons, text, retrained, strict=True)
    )


def _over_texts(values: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return the mean over sequences of every seed and cell, NaN where nothing was read."""
    held = np.isfinite(values)
    given = np.where(held, 1.0 if weights is None else weights, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (given * np.where(held, values, 0.0)).sum(1) / given.sum(1)


def _cell(estimate: Estimate, at: int) -> Estimate:
    """Return the estimate of one cell."""
    numbers = {
        field.name: np.asarray(found[at])
        for field in fields(estimate)
        if isinstance(found := getattr(estimate, field.name), np.ndarray) and found.ndim
    }
    return replace(estimate, **numbers)


def _word(estimate: Estimate, adjusted: float) -> str:
    p = adjusted if np.isfinite(adjusted) else float(estimate.p)
    return word_of(float(estimate.mean), p, level=estimate.level)


def outdone(difference: float, same: float) -> bool:
    """Say whether the same against the same differs by more; NaN is not known to."""
    return abs(same) > abs(difference)


def word_of(difference: float, p: float, *, level: float = 0.95) -> str:
    """Return "higher" or "lower" where p leaves no other, else "undecided"."""
    if not p <= 1 - level:
        return "undecided"
    return "higher" if difference > 0 else "lower"
