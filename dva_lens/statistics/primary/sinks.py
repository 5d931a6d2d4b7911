"""How much attention the first key receives: mass, sail-sg's importance, and the sink rate."""

import numpy as np
from jaxtyping import Float

from dva_lens.records import LayerRecord
from dva_lens.sites import SUMMARY
from dva_lens.statistics.ratios import ratio
from dva_lens.statistics.statistic import UNIT, SharedRecord, Statistic
from dva_lens.statistics.visible import sees_first, visible_counts

WINDOW = 64
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def first_key_mass(
    layer: LayerRecord, shared: SharedRecord
) -> Float[np.ndarray, "sequence head query"]:
    """Return the weight on the first key, for the queries that see it."""
    del shared
    summary = layer.at(SUMMARY)
    return np.where(sees_first(summary), summary.first_mass, np.nan).astype(np.float64)


def sink_importance(
    layer: LayerRecord, shared: SharedRecord
) -> Float[np.ndarray, "sequence head"]:
    """Return the mean weight on the first key over the first `WINDOW` queries."""
    del shared
    summary = layer.at(SUMMARY)
    early = summary.first_mass[..., :WINDOW].astype(np.float64)
    held = ~np.isnan(early)
    count = held.sum(-1)
    total = np.where(held, early, 0.0).sum(-1)
    return ratio(total, count)


def sink_rate(
    layer: LayerRecord, shared: SharedRecord
) -> Float[np.ndarray, "sequence head threshold"]:
    """Say for each threshold whether the importance of the first key is above it."""
    importance = sink_importance(layer, shared)[..., None]
    above = (importance > np.asarray(THRESHOLDS)).astype(np.float64)
    return np.where(np.isnan(importance), np.nan, above)


def uniform_importance(lengths: np.ndarray) -> np.ndarray:
    """Return the mean of 1 / (i + 1) over the first queries of a causal text."""
    sizes = np.minimum(np.asarray(lengths), WINDOW)
    return np.cumsum(1.0 / np.arange(1, WINDOW + 1))[sizes - 1] / sizes


def uniform_rate(lengths: np.ndarray) -> Float[np.ndarray, "*length threshold"]:
    """Say for each threshold whether uniform attention counts as a sink at these lengths."""
    return (uniform_importance(lengths)[..., None] > np.asarray(THRESHOLDS)).astype(np.float64)


FIRST_KEY_MASS = Statistic(
    name="first_key_mass",
    version=1,
    long_name="Weight on the first key",
    units="1",
    meaning="The share of its attention that a query gives to the first token.",
    formula=r"p_{i0}",
    source="Xiao et al. 2023 (arXiv 2309.17453); Gu et al. 2024 (arXiv 2410.10781)",
    at="query",
    needs=(SUMMARY,),
    signed=True,
    compute=first_key_mass,
    bounds=UNIT,
    reference=lambda visible: 1.0 / visible_counts(visible),
    pitfalls=(
        "Not defined where a window hides the first key. What stands first (a start token or a "
        "word) changes it: the data say how special tokens were treated."
    ),
)

SINK_IMPORTANCE = Statistic(
    name="sink_importance",
    version=1,
    long_name="Importance of the first key",
    units="1",
    meaning="Mean weight on the first token over the first 64 queries of a text.",
    formula=r"\alpha_0 = \frac{1}{T}\sum_{i<T} A_{i0},\quad T = \min(N, 64)",
    source="Gu et al. 2024 (arXiv 2410.10781), section 3, and its official code with T = 64",
    at="head",
    needs=(SUMMARY,),
    signed=True,
    compute=sink_importance,
    bounds=UNIT,
    reference=uniform_importance,
    pitfalls=(
        "It falls with T even for uniform attention, so texts shorter than 64 tokens read higher. "
        "Reading the first 64 queries of a longer text is the official number for causal models "
        "only. Queries whose window hides the first key count as zero, as in the official code."
    ),
)

SINK_RATE = Statistic(
    name="sink_rate",
    version=1,
    long_name="Sink rate",
    units="1",
    meaning="Share of texts and heads whose first key is more important than a threshold.",
    formula=r"\mathbb{1}\left[\alpha_0 > \varepsilon\right]",
    source="Gu et al. 2024 (arXiv 2410.10781), equation 5; the official threshold is 0.3",
    at="head",
    needs=(SUMMARY,),
    signed=True,
    compute=sink_rate,
    bounds=UNIT,
    reference=uniform_rate,
    extra={"threshold": THRESHOLDS},
    pitfalls=(
        "A share of heads, not of attention; the official figure is a percentage. The threshold "
        "is arbitrary, so read the curve. Uniform attention passes 0.3 up to 9 tokens. With one "
        "head per layer there are only as many trials as layers."
    ),
)
