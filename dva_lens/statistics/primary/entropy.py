"""How widely one query spreads its attention: entropy, its exponential, and the largest weight."""

from math import log

import numpy as np
from jaxtyping import Float

from dva_lens.records import LayerRecord
from dva_lens.sites import SUMMARY
from dva_lens.statistics.statistic import UNIT, SharedRecord, Statistic, at_least
from dva_lens.statistics.visible import rest_mass, visible_counts

PerQuery = Float[np.ndarray, "sequence head query"]


def entropy(layer: LayerRecord, shared: SharedRecord) -> PerQuery:
    """Return -sum p log p of the weights as they are."""
    del shared
    return layer.at(SUMMARY).entropy.astype(np.float64)


def shape_entropy(layer: LayerRecord, shared: SharedRecord) -> PerQuery:
    """Return the entropy of the weights divided by their sum: H / rho + log rho."""
    del shared
    summary = layer.at(SUMMARY)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = np.where(summary.row_mass > 0, summary.row_mass, np.nan).astype(np.float64)
        return np.maximum(summary.entropy / rho + np.log(rho), 0.0)


def normalised_entropy(layer: LayerRecord, shared: SharedRecord) -> PerQuery:
    """Return the entropy of the divided weights over its largest value, log of visible keys."""
    largest = np.log(visible_counts(layer.at(SUMMARY).visible, 2))
    return shape_entropy(layer, shared) / largest[:, None]


def effective_keys(layer: LayerRecord, shared: SharedRecord) -> PerQuery:
    """Return the exponential of the entropy of the divided weights."""
    return np.exp(shape_entropy(layer, shared))


def largest_weight(layer: LayerRecord, shared: SharedRecord) -> PerQuery:
    """Return the largest weight of each query."""
    del shared
    return layer.at(SUMMARY).largest.astype(np.float64)


def sink_free_entropy(layer: LayerRecord, shared: SharedRecord) -> PerQuery:
    """Return the entropy over the keys other than the first, their weights divided by their sum.

    With h = -sum p log p and m = sum p over these keys it is h / m + log m, so no pattern is
    needed. Both are recorded as sums over these keys: taken off the whole, the first key would
    leave no digits where it is a strong sink.
    """
    del shared
    summary = layer.at(SUMMARY)
    rest = rest_mass(summary)
    found = summary.rest_entropy / rest + np.log(rest)
    others = visible_counts(summary.visible, 2) - 1
    return np.clip(found, 0.0, np.log(others)[:, None])


ENTROPY = Statistic(
    name="entropy",
    version=1,
    long_name="Attention entropy",
    units="nat",
    meaning="How widely a query spreads its attention; 0 when one key receives everything.",
    formula=r"H_i = -\sum_j p_{ij} \log p_{ij}",
    source="Ghader & Monz 2017; Zhai et al. 2023 (arXiv 2303.06296), section 3",
    at="query",
    needs=(SUMMARY,),
    compute=entropy,
    bounds=at_least(0.0),
    reference=lambda visible: np.log(visible_counts(visible)),
    row_mass="weights are used as they are; a learned sink's share is left out of the sum",
    pitfalls=(
        "Averaging patterns over heads before taking the entropy raises it. Sigmoid weights may "
        "total more or less than one, and then log of visible keys is no bound."
    ),
)

NORMALISED_ENTROPY = Statistic(
    name="normalised_entropy",
    version=1,
    long_name="Normalised attention entropy",
    units="1",
    meaning="Entropy over its largest possible value: 1 is uniform, 0 is one key.",
    formula=r"\left(H_i / \rho_i + \log \rho_i\right) / \log n_i,\quad \rho_i = \sum_j p_{ij}",
    source="Guo et al. 2024 (arXiv 2410.13835); rows with one visible key left out here",
    at="query",
    needs=(SUMMARY,),
    compute=normalised_entropy,
    bounds=UNIT,
    reference=lambda visible: visible_counts(visible, 2) * 0.0 + 1.0,
    first_row="dropped",
    row_mass="weights are divided by their sum",
    pitfalls=(
        "Published code counts the first row as 0, which lowers a mean over N queries by 1/N. "
        "Divided weights hide how much a learned sink takes: read it beside the row mass."
    ),
)

EFFECTIVE_KEYS = Statistic(
    name="effective_keys",
    version=1,
    long_name="Effective number of keys",
    units="keys",
    meaning="The number of equally weighted keys that would have the same entropy.",
    formula=r"\exp\left(H_i / \rho_i + \log \rho_i\right)",
    source="Hill number of order 1 (Hill 1973) of the attention weights",
    at="query",
    needs=(SUMMARY,),
    compute=effective_keys,
    bounds=lambda length: (1, length),
    reference=visible_counts,
    row_mass="weights are divided by their sum",
    pitfalls="The mean of exponentials is not the exponential of the mean entropy.",
)

LARGEST_WEIGHT = Statistic(
    name="largest_weight",
    version=1,
    long_name="Largest weight",
    units="1",
    meaning="The largest share of a query's attention that one key receives.",
    formula=r"\max_j p_{ij}",
    source="Berger-Parker index of the attention weights",
    at="query",
    needs=(SUMMARY,),
    signed=True,
    compute=largest_weight,
    bounds=UNIT,
    reference=lambda visible: 1.0 / visible_counts(visible),
    pitfalls="A sink dominates it: it then says the same as the first-key mass.",
)

SINK_FREE_ENTROPY = Statistic(
    name="sink_free_entropy",
    version=2,
    long_name="Entropy without the first key",
    units="nat",
    meaning="How widely a query spreads its attention over all keys but the first.",
    formula=r"-\sum_{j>0} p_{ij}\log p_{ij}\big/m_i + \log m_i,\quad m_i = \sum_{j>0} p_{ij}",
    source="Entropy of the weights with the sink dropped and the rest divided by its sum",
    at="query",
    needs=(SUMMARY,),
    compute=sink_free_entropy,
    bounds=lambda length: (0.0, log(max(length - 1, 1))),
    reference=lambda visible: np.log(visible_counts(visible, 2) - 1),
    first_row="dropped",
    row_mass="the weights of the other keys are divided by their sum",
    pitfalls=(
        "Only the first key is dropped; the sink atlas finds others. NaN where the first key is "
        "out of sight, or takes so nearly everything that the other weights underflow."
    ),
)
