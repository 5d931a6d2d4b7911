"""Comparing arms over depth: both estimands, the same against the same, adjusted p, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from dva_lens.statistics.inference.contrasts import (
    same_against_same,
    seed_contrasts,
    text_contrast,
)
from dva_lens.statistics.inference.depth import CONTRASTS
from dva_lens.statistics.inference.estimate import Estimate, moments
from dva_lens.statistics.inference.multiplicity import holm
from dva_lens.statistics.spans import pooled


@final
@dataclass(frozen=True)
class Comparison:
    """One arm minus the baseline in one statistic, summarised over depth in one way.

    `text` speaks of these checkpoints on new text and `retrained` of the architectures; `same` is
    what two halves of the baseline's seeds differ by on the same texts, None with one seed.
    The adjusted p values are NaN until `adjust` has seen the whole family.
    """

    statistic: str
    arm: str
    baseline: str
    contrast: str
    text: Estimate
    retrained: Estimate
    same: Estimate | None
    text_adjusted: float = float("nan")
    retrained_adjusted: float = float("nan")

    @property
    def verdict(self) -> str:
        """What may be said: of architectures where seeds allow it, else of the checkpoints."""
        alpha = 1 - self.retrained.level
        if self.retrained.supports_claims:
            return _word(self.retrained, self.retrained_adjusted, alpha)
        word = _word(self.text, self.text_adjusted, alpha)
        return f"{word} for these checkpoints ({self.retrained.note})"


def layer_profile(values: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Return (sequence, layer) from a measured variable, heads averaged.

    `values` is (layer, sequence), (layer, head, sequence) or, with `rows` over (sequence, span),
    (layer, head, sequence, span), where each span counts as many times as it has queries.
    """
    if rows is not None:
        values = pooled(values, rows)
    if values.ndim == 3:
        values = moments(values.swapaxes(0, 1))[0]
    if values.ndim != 2:
        raise ValueError(
            "values must be (layer, sequence), (layer, head, sequence) or, with rows, (layer, "
            f"head, sequence, span); got {values.ndim} dimensions. Choose one entry of the others."
        )
    return values.T


def compare(
    statistic: str,
    arms: Mapping[str, np.ndarray],
    documents: Sequence[str] | np.ndarray,
    *,
    baseline: str,
    contrasts: Sequence[str] = ("middle half", "slope"),
    level: float = 0.95,
) -> tuple[Comparison, ...]:
    """Compare every arm with the baseline in one statistic.

    Parameters
    ----------
    statistic : str
        Its name, kept with the result.
    arms : mapping
        Numbers over (seed, sequence, layer) for every arm, on the same texts; numbers of layers
        may differ.
    documents : sequence of str
        The document of each sequence.
    baseline : str
        The arm that all others are compared with.
    contrasts : sequence of str
        Summaries over depth, among `depth.CONTRASTS`.
    level : float
        Coverage of the intervals.
    """
    if baseline not in arms:
        raise KeyError(f"No arm is called {baseline!r}; there are: {', '.join(arms)}.")
    found = []
    for contrast in contrasts:
        over_depth = {name: CONTRASTS[contrast](values) for name, values in arms.items()}
        over_seeds = seed_contrasts(
            {name: moments(values.T)[0] for name, values in over_depth.items()},
            baseline,
            level=level,
        )
        theirs = over_depth[baseline]
        same = same_against_same(theirs, documents, level=level)
        found += [
            Comparison(
                statistic,
                name,
                baseline,
                contrast,
                text=text_contrast(over_depth[name], theirs, documents, level=level),
                retrained=retrained,
                same=same,
            )
            for name, retrained in over_seeds.items()
        ]
    return tuple(found)


def by_layer(
    arms: Mapping[str, np.ndarray],
    documents: Sequence[str] | np.ndarray,
    *,
    baseline: str,
    level: float = 0.95,
) -> dict[str, Estimate]:
    """Compare layer by layer on the same texts, to explore: p values are not adjusted.

    Arms whose number of layers differs from the baseline's have no layer to compare with.
    """
    theirs = arms[baseline]
    return {
        name: text_contrast(values, theirs, documents, level=level)
        for name, values in arms.items()
        if name != baseline and values.shape[-1] == theirs.shape[-1]
    }


def adjust(comparisons: Sequence[Comparison], method=holm) -> tuple[Comparison, ...]:  # noqa: ANN001
    """Adjust p values over a family: `holm` for claims, `benjamini_hochberg` to explore.

    The two estimands are two families.
    """
    text = method(np.array([float(entry.text.p) for entry in comparisons]))
    retrained = method(np.array([float(entry.retrained.p) for entry in comparisons]))
    return tuple(
        replace(entry, text_adjusted=float(one), retrained_adjusted=float(other))
        for entry, one, other in zip(comparisons, text, retrained, strict=True)
    )


def _word(estimate: Estimate, adjusted: float, alpha: float) -> str:
    p = adjusted if np.isfinite(adjusted) else float(estimate.p)
    if not p <= alpha:
        return "undecided"
    return "higher" if float(estimate.mean) > 0 else "lower"
