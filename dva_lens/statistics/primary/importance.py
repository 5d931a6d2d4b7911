"""How unevenly keys are attended to: ResFormer's token-importance entropy and its excess."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float

from dva_lens.records import LayerRecord
from dva_lens.sites import SUMMARY
from dva_lens.statistics.ratios import ratio
from dva_lens.statistics.statistic import SharedRecord, Statistic, entropy_range
from dva_lens.statistics.visible import uniform_received, uniform_received_across


def distribution_entropy(mass: Float[np.ndarray, "*batch key"]) -> Float[np.ndarray, "*batch"]:
    """Return the entropy in nats of masses divided by their total; NaN entries are padding."""
    mass = np.where(np.isnan(mass), 0.0, mass).astype(np.float64)
    total = mass.sum(-1, keepdims=True)
    share = ratio(mass, total)
    return -(share * np.log(np.where(share > 0, share, 1.0))).sum(-1)


def importance_entropy(layer: LayerRecord, shared: SharedRecord) -> Float[np.ndarray, "sequence"]:
    """Return the entropy of the mass that keys receive from all queries, heads averaged first."""
    del shared
    summary = layer.at(SUMMARY)
    return distribution_entropy(summary.received.astype(np.float64).mean(1))


def head_importance_excess(
    layer: LayerRecord, shared: SharedRecord
) -> Float[np.ndarray, "sequence head"]:
    """Return each head's token-importance entropy minus that of uniform attention."""
    summary = layer.at(SUMMARY)
    if shared.keys is None:
        uniform = uniform_received(summary.visible, summary.viewers, shared.lengths)
    else:
        uniform = uniform_received_across(summary.visible, summary.viewers)
    return distribution_entropy(summary.received) - distribution_entropy(uniform)[:, None]


def uniform_importance_entropy(lengths: np.ndarray) -> np.ndarray:
    """Return the token-importance entropy of uniform causal attention at these lengths."""
    sizes, back = np.unique(np.asarray(lengths), return_inverse=True)
    found = np.array([_uniform_entropy(int(size)) for size in sizes])
    return found[back].reshape(np.shape(lengths))


@lru_cache(maxsize=4096)
def _uniform_entropy(length: int) -> float:
    inverse = 1.0 / np.arange(1, length + 1)
    received = np.cumsum(inverse[::-1])[::-1]
    return float(distribution_entropy(received[None])[0])


IMPORTANCE_ENTROPY = Statistic(
    name="importance_entropy",
    version=1,
    long_name="Token-importance entropy",
    units="nat",
    meaning="How evenly the keys of a text share the attention of a layer; lower is more uneven.",
    formula=(
        r"e = -\sum_j c_j \log c_j,\quad "
        r"c_j \propto \sum_i \tfrac{1}{H}\sum_h A^h_{ij}"
    ),
    source="Zhou et al. 2024 (ResFormer, arXiv 2410.17897), equation 11, and its official code",
    at="layer",
    needs=(SUMMARY,),
    compute=importance_entropy,
    bounds=entropy_range,
    reference=uniform_importance_entropy,
    row_mass="received masses are divided by their total, as the official code does",
    pitfalls=(
        "It grows with length; compare at equal length only. Early keys are seen by more queries, "
        "so uniform attention reads about log N - 0.42, not log N. Averaging heads first hides "
        "heads that disagree. What a learned sink takes disappears."
    ),
)

HEAD_IMPORTANCE_EXCESS = Statistic(
    name="head_importance_excess",
    version=1,
    long_name="Token-importance entropy over uniform, per head",
    units="nat",
    meaning="A head's token-importance entropy minus that of uniform attention.",
    formula=r"e^h - e^{\mathrm{uniform}}",
    source="Zhou et al. 2024 (arXiv 2410.17897), equation 11, per head, minus its reference",
    at="head",
    needs=(SUMMARY,),
    compute=head_importance_excess,
    bounds=lambda length: (-np.log(length), np.log(length)),
    reference=lambda lengths: np.zeros(np.shape(lengths)),
    row_mass="received masses are divided by their total",
    pitfalls=(
        "Subtracting the reference does not remove length: a sink of half the mass reads -1.3 at "
        "64 tokens and -2.9 at 2048. A head that attends to itself alone reads above zero."
    ),
)
