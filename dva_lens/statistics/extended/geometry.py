"""The residual stream as a cloud of points: effective rank, rank collapse, oversmoothing.

Each is given as it is, with every channel divided by its spread, and without the first position,
because single channels and single positions can dominate all of them.
"""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

from dva_lens.records import LayerRecord
from dva_lens.sites import GEOMETRY
from dva_lens.statistics.statistic import UNIT, Compute, SharedRecord, Statistic, between

States = Float[np.ndarray, "position channel"]
VARIANTS = ("plain", "standardised", "without first")


def effective_rank(states: States) -> float:
    """Return exp of the entropy of the singular values divided by their sum (Roy & Vetterli).

    Squares of singular values below the rounding of their sum are none.
    """
    states = states.astype(np.float64)
    gram = states.T @ states if len(states) > states.shape[1] else states @ states.T
    squares = np.linalg.eigvalsh(gram)
    rounding = len(gram) * np.finfo(np.float64).eps * np.abs(squares).max(initial=0.0)
    sizes = np.sqrt(np.where(squares > rounding, squares, 0.0))
    share = sizes[sizes > 0] / max(sizes.sum(), 1e-300)
    return float(np.exp(-(share * np.log(share)).sum())) if len(share) else float("nan")


def rank_residual(states: States) -> float:
    """Return how much of the cloud is left after its mean is taken off, between 0 and 1."""
    states = states.astype(np.float64)
    size = np.linalg.norm(states)
    return float(np.linalg.norm(states - states.mean(0)) / size) if size > 0 else float("nan")


def token_similarity(states: States) -> float:
    """Return the mean cosine between the states at two different positions."""
    states = states.astype(np.float64)
    size = np.linalg.norm(states, axis=1, keepdims=True)
    if len(states) < 2 or (size == 0).any():
        return float("nan")
    total = (states / size).sum(0)
    count = len(states)
    return float((total @ total - count) / (count * (count - 1)))


def cloud_numbers(
    states: States, names: Iterable[str] | None = None
) -> dict[str, Float[np.ndarray, "variant"]]:
    """Return numbers of this module in all variants, by the name of their statistic."""
    states = states.astype(np.float64)
    spread = states.std(0)
    variants = (states, states / np.where(spread > 0, spread, 1.0), states[1:])
    return {
        name: np.array([CLOUD_MEASURES[name](each) if len(each) else np.nan for each in variants])
        for name in (CLOUD_MEASURES if names is None else names)
    }


CLOUD_MEASURES = {
    "effective_rank": effective_rank,
    "rank_residual": rank_residual,
    "token_similarity": token_similarity,
}


def _held(name: str) -> Compute:
    def compute(layer: LayerRecord, shared: SharedRecord) -> np.ndarray:
        del shared
        held = layer.at(GEOMETRY)
        return held[name]

    return compute


WHY_NO_REFERENCE = "it is about the residual stream, not about a pattern"

EFFECTIVE_RANK = Statistic(
    name="effective_rank",
    version=2,
    long_name="Effective rank of the residual stream",
    units="dimensions",
    meaning="How many directions the states of a text spread over.",
    formula=r"\exp\left(-\sum_k p_k \log p_k\right),\quad p_k = \sigma_k / \sum_m \sigma_m",
    source="Roy & Vetterli 2007: singular values, not their squares",
    at="layer",
    needs=(GEOMETRY,),
    compute=_held("effective_rank"),
    bounds=lambda length: (1, length),
    reference=None,
    why_no_reference=WHY_NO_REFERENCE,
    extra={"variant": VARIANTS},
    pitfalls="It grows with length; squares of singular values would give a smaller number.",
)
RANK_RESIDUAL = Statistic(
    name="rank_residual",
    version=1,
    long_name="Distance from rank collapse",
    units="1",
    meaning="Share of the states' size that is not common to all positions; 0 is collapsed.",
    formula=r"\lVert X - \mathbf{1}\bar x^\top\rVert_F / \lVert X\rVert_F",
    source="Dong et al. 2021 (arXiv 2103.03404), in the Frobenius norm",
    at="layer",
    needs=(GEOMETRY,),
    compute=_held("rank_residual"),
    bounds=UNIT,
    reference=None,
    why_no_reference=WHY_NO_REFERENCE,
    extra={"variant": VARIANTS},
    pitfalls="A massive channel that is alike everywhere makes any text look collapsed.",
)
TOKEN_SIMILARITY = Statistic(
    name="token_similarity",
    version=1,
    long_name="Similarity of positions",
    units="1",
    meaning="Mean cosine between the states at two positions; 1 is oversmoothed.",
    formula=r"\operatorname{mean}_{i\ne j} \cos(x_i, x_j)",
    source="Zhou et al. 2024 (arXiv 2410.17897), token similarity; Timkey & van Schijndel 2021",
    at="layer",
    needs=(GEOMETRY,),
    compute=_held("token_similarity"),
    bounds=between(-1.0, 1.0),
    reference=None,
    why_no_reference=WHY_NO_REFERENCE,
    extra={"variant": VARIANTS},
    pitfalls="A few large channels make all states look alike: read the standardised variant.",
)
