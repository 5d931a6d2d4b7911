"""How small the first key's value is: drained values before and after the output projection."""

import numpy as np
from jaxtyping import Float

from dva_lens.records import LayerRecord
from dva_lens.sites import VALUES, WRITTEN
from dva_lens.statistics.ratios import ratio
from dva_lens.statistics.statistic import SharedRecord, Statistic, at_least

WHY_NO_REFERENCE = (
    "the sizes of values do not follow from the pattern; 1 is a first key like the median key"
)


def value_drain(layer: LayerRecord, shared: SharedRecord) -> Float[np.ndarray, "sequence kv_head"]:
    """Return the norm of the first key's value over the median norm."""
    del shared
    sizes = layer.at(VALUES)
    return first_over_median(sizes.norm)


def written_value_drain(
    layer: LayerRecord, shared: SharedRecord
) -> Float[np.ndarray, "sequence kv_head"]:
    """Return the same ratio for what the values write through the output projection."""
    del shared
    sizes = layer.at(WRITTEN)
    return first_over_median(sizes.norm)


def first_over_median(
    norm: Float[np.ndarray, "sequence kv_head key"],
) -> Float[np.ndarray, "sequence kv_head"]:
    """Return the first entry over the median of the entries that are not NaN."""
    sizes = np.sort(norm, axis=-1)  # NaN sorts to the end
    count = (~np.isnan(sizes)).sum(-1, keepdims=True)
    last = sizes.shape[-1] - 1
    lower = np.take_along_axis(sizes, np.clip((count - 1) // 2, 0, last), -1)[..., 0]
    upper = np.take_along_axis(sizes, np.clip(count // 2, 0, last), -1)[..., 0]
    median = (lower.astype(np.float64) + upper) / 2
    first = norm[..., 0].astype(np.float64)
    return ratio(first, median)


VALUE_DRAIN = Statistic(
    name="value_drain",
    version=1,
    long_name="Value drain of the first key",
    units="1",
    meaning="Size of the first token's value over the median value; far below 1 is drained.",
    formula=r"\lVert v_0 \rVert / \operatorname{median}_j \lVert v_j \rVert",
    source="Guo et al. 2024 (arXiv 2410.13835), value-state drains; ratio to the median is ours",
    at="kv_head",
    needs=(VALUES,),
    compute=value_drain,
    bounds=at_least(0.0),
    reference=None,
    why_no_reference=WHY_NO_REFERENCE,
    pitfalls=(
        "Norms change under v -> v - c, which attention with rows that total one cannot tell "
        "apart. With value residuals it is the mixed value that counts. Values that depend on the "
        "query enter as the attention-weighted mean value of the key."
    ),
)

WRITTEN_VALUE_DRAIN = Statistic(
    name="written_value_drain",
    version=1,
    long_name="Written value drain of the first key",
    units="1",
    meaning="Size of the first token's projected value over the median; below 1 is drained.",
    formula=r"\lVert W_O v_0 \rVert / \operatorname{median}_j \lVert W_O v_j \rVert",
    source="Guo et al. 2024 (arXiv 2410.13835): norms taken after the head's output matrix",
    at="kv_head",
    needs=(WRITTEN,),
    compute=written_value_drain,
    bounds=at_least(0.0),
    reference=None,
    why_no_reference=WHY_NO_REFERENCE,
    pitfalls=(
        "With shared values, the root mean square over the query heads of the group. The same "
        "shift v -> v - c changes it."
    ),
)
