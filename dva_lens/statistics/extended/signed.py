"""What the weights of a row total, with their signs and without: heads may compose them."""

import numpy as np
from jaxtyping import Float

from dva_lens.records import LayerRecord
from dva_lens.sites import SUMMARY
from dva_lens.statistics.statistic import UNBOUNDED, SharedRecord, Statistic, at_least

PerQuery = Float[np.ndarray, "sequence head query"]


def signed_mass(layer: LayerRecord, shared: SharedRecord) -> PerQuery:
    """Return what the weights of each row sum to."""
    del shared
    return layer.at(SUMMARY).row_mass.astype(np.float64)


def absolute_mass(layer: LayerRecord, shared: SharedRecord) -> PerQuery:
    """Return what the absolute weights of each row sum to."""
    del shared
    return layer.at(SUMMARY).absolute_mass.astype(np.float64)


def _of_softmax(visible: np.ndarray) -> np.ndarray:
    return np.where(np.asarray(visible) >= 1, 1.0, np.nan)


SIGNED_MASS = Statistic(
    name="signed_mass",
    version=1,
    long_name="Sum of the weights",
    units="1",
    meaning="What all weights of a query total, those below zero taken off.",
    formula=r"\sum_j p_{ij}",
    source="Row mass; Shazeer et al. 2020 (arXiv 2003.02436) let heads compose their weights",
    at="query",
    needs=(SUMMARY,),
    compute=signed_mass,
    bounds=UNBOUNDED,
    reference=_of_softmax,
    signed=True,
    row_mass="this is the row mass",
    pitfalls="One for softmax, up to rounding; it may be anything where heads are composed.",
)

ABSOLUTE_MASS = Statistic(
    name="absolute_mass",
    version=1,
    long_name="Sum of the absolute weights",
    units="1",
    meaning="How much weight a query moves in all, whatever its sign.",
    formula=r"\sum_j |p_{ij}|",
    source="Row mass without signs; Xiao et al. 2024 (arXiv 2405.08553) compose weights per pair",
    at="query",
    needs=(SUMMARY,),
    compute=absolute_mass,
    bounds=at_least(0.0),
    reference=_of_softmax,
    signed=True,
    row_mass="equal to the row mass where no weight is negative",
    pitfalls="What it exceeds the sum of the weights by is twice the weight below zero.",
)
