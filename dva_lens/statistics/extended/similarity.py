"""How alike layers are: their patterns against each other and against uniform, and CKA."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from dva_lens.records import LayerRecord
from dva_lens.sites import SUMMARY
from dva_lens.statistics.ratios import ratio
from dva_lens.statistics.statistic import UNIT, SharedRecord, Statistic


@final
@dataclass(frozen=True)
class PatternGram:
    """Inner products between the patterns of all layers, added up over tiles of equal rows."""

    products: Float[np.ndarray, "layer layer"]

    @classmethod
    def of(cls, weights: Float[np.ndarray, "layer head row key"]) -> "PatternGram":
        """Take the same rows of every layer."""
        flat = weights.reshape(len(weights), -1).astype(np.float64)
        return cls(flat @ flat.T)

    def merge(self, other: "PatternGram") -> "PatternGram":
        """Add other rows."""
        return PatternGram(self.products + other.products)

    def summary(self) -> Float[np.ndarray, "layer layer"]:
        """Return the cosines between layers (EchoAtt's similarity)."""
        size = np.sqrt(np.diagonal(self.products))
        return ratio(self.products, size[:, None] * size[None, :])


def uniform_similarity(layer: LayerRecord, shared: SharedRecord) -> np.ndarray:
    """Return the cosine between each head's pattern and uniform attention."""
    del shared
    summary = layer.at(SUMMARY)
    share = np.where(summary.visible > 0, 1.0 / np.maximum(summary.visible, 1), 0.0)[:, None]
    along = np.nansum(summary.row_mass * share, axis=-1)
    size = np.sqrt(np.nansum(summary.square_sum, axis=-1, dtype=np.float64))
    return ratio(along, size * np.sqrt(share.sum(-1)))


def linear_cka(
    ours: Float[np.ndarray, "position channel"], theirs: Float[np.ndarray, "other width"]
) -> float:
    """Return the unbiased linear CKA between two descriptions of the same positions.

    It is about zero for unrelated descriptions however few the positions, and can be slightly
    negative; the usual estimate is near one when channels outnumber positions.

    Raises
    ------
    ValueError
        The two differ in positions, or have fewer than four.
    """
    if len(ours) != len(theirs):
        raise ValueError(
            f"Both must describe the same positions, got {len(ours)} and {len(theirs)}."
        )
    if len(ours) < 4:
        raise ValueError(f"Unbiased CKA needs at least 4 positions, got {len(ours)}.")
    return float(_cosines([_centred_gram(ours), _centred_gram(theirs)])[0, 1])


def cka_between(
    states: Sequence[Float[np.ndarray, "position _"]],
) -> Float[np.ndarray, "layer layer"]:
    """Return the unbiased linear CKA between all pairs of descriptions, NaN below 4 positions."""
    if len(states[0]) < 4:
        return np.full((len(states), len(states)), np.nan)
    return _cosines([_centred_gram(each) for each in states])


def _cosines(grams: Sequence[Float[np.ndarray, "one other"]]) -> Float[np.ndarray, "layer layer"]:
    products = np.array([[np.vdot(one, other) for other in grams] for one in grams])
    size = np.sqrt(np.diagonal(products))
    return ratio(products, size[:, None] * size[None, :])


def _centred_gram(states: np.ndarray) -> np.ndarray:
    """Return the U-centred gram matrix (Szekely & Rizzo 2014; used by Nguyen et al. 2021)."""
    states = states.astype(np.float64)
    gram = states @ states.T
    np.fill_diagonal(gram, 0.0)
    count = len(gram)
    mean = gram.sum(1) / (count - 2)
    gram = gram - mean[:, None] - mean[None, :] + mean.sum() / (count - 1)
    np.fill_diagonal(gram, 0.0)
    return gram


UNIFORM_SIMILARITY = Statistic(
    name="uniform_similarity",
    version=1,
    long_name="Similarity to uniform attention",
    units="1",
    meaning="Cosine between a head's pattern and uniform attention over the visible keys.",
    formula=r"\langle A, U\rangle / (\lVert A\rVert \lVert U\rVert)",
    source="EchoAtt's layer similarity (PMLR v262) against the uniform pattern",
    at="head",
    needs=(SUMMARY,),
    compute=uniform_similarity,
    bounds=UNIT,
    reference=lambda lengths: np.ones(np.shape(lengths)),
    row_mass="does not depend on a factor common to all rows",
    pitfalls="Early rows dominate it: where there is little choice, weights are large.",
)
