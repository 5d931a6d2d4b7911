"""What values do: what the sink writes, how dynamic values are, and where they come from."""

import numpy as np
from jaxtyping import Float

from dva_lens.records import LayerRecord
from dva_lens.sites import DYNAMICS, MIX, WRITTEN
from dva_lens.statistics.ratios import ratio
from dva_lens.statistics.statistic import UNBOUNDED, UNIT, SharedRecord, Statistic

SOURCES = ("own", "first", "donor", "table")


def sink_output_share(
    layer: LayerRecord, shared: SharedRecord
) -> Float[np.ndarray, "sequence head query"]:
    """Return the signed share of each query's output that the first key wrote."""
    del shared
    sizes = layer.at(WRITTEN)
    return sizes.first.astype(np.float64)


def dynamism(layer: LayerRecord, shared: SharedRecord) -> Float[np.ndarray, "sequence head"]:
    """Return the share of the values' power that differs between queries of the same key."""
    del shared
    sums = layer.at(DYNAMICS)
    power = sums.power.astype(np.float64)
    return np.clip(1.0 - ratio(sums.mean_power, power), 0.0, 1.0)


def value_source_share(
    layer: LayerRecord, shared: SharedRecord
) -> Float[np.ndarray, "sequence kv_head source"]:
    """Return the signed share of the value that comes from each source; absent ones hold 0.

    Raises
    ------
    ValueError
        The record names a source that the statistic does not know.
    """
    del shared
    mix = layer.at(MIX)
    unknown = sorted(set(mix.sources) - set(SOURCES))
    if unknown:
        raise ValueError(
            f"value sources must be among {', '.join(SOURCES)}, got {', '.join(unknown)}; "
            "add new sources to the statistic and raise its version."
        )
    sequences, _, kv_heads = mix.share.shape
    found = np.zeros((sequences, kv_heads, len(SOURCES)))
    for index, source in enumerate(mix.sources):
        found[..., SOURCES.index(source)] += mix.share[:, index]
    return found


SINK_OUTPUT_SHARE = Statistic(
    name="sink_output_share",
    version=1,
    long_name="Share of the output written by the first key",
    units="1",
    meaning="How much of a head's output comes from the first token, along that output.",
    formula=r"\langle p_{i0} W_O v_{i0},\, W_O o_i\rangle / \lVert W_O o_i\rVert^2",
    source="Signed projection share, after Kobayashi et al. 2020 (arXiv 2004.10102)",
    at="query",
    needs=(WRITTEN,),
    compute=sink_output_share,
    bounds=UNBOUNDED,
    reference=None,
    why_no_reference="it depends on the values; with equal values it would be 1 / visible keys",
    pitfalls="Shares are signed and total one: one key may hold more than 1, another less than 0.",
)

DYNAMISM = Statistic(
    name="dynamism",
    version=1,
    long_name="Dynamism of values",
    units="1",
    meaning="Share of the values' power that differs between the queries of one key.",
    formula=(
        r"1 - \sum_j c_j \lVert \bar v_j\rVert^2 \Big/ \sum_{ij} A_{ij}\lVert v_{ij}\rVert^2,"
        r"\quad \bar v_j = \sum_i A_{ij} v_{ij} / c_j"
    ),
    source="Defined by this project for values that depend on the query",
    at="head",
    needs=(DYNAMICS,),
    compute=dynamism,
    bounds=UNIT,
    reference=None,
    why_no_reference="it is about values; static values read 0 whatever the pattern",
    pitfalls=(
        "Positive dynamism does not prove dependence on the pair: a gate or a branch of the query "
        "alone is dynamic too. Read it beside the interaction share."
    ),
)

VALUE_SOURCE_SHARE = Statistic(
    name="value_source_share",
    version=1,
    long_name="Where the value comes from",
    units="1",
    meaning="Signed share of the value that each source contributes, along that value.",
    formula=r"\langle v^{(m)}, v\rangle / \lVert v\rVert^2",
    source="Signed projection share; mixing weights alone depend on the scale of each source",
    at="kv_head",
    needs=(MIX,),
    compute=value_source_share,
    bounds=UNBOUNDED,
    reference=None,
    why_no_reference="the mix of sources does not follow from the pattern",
    extra={"source": SOURCES},
    pitfalls="Shares total one over sources; a negative one opposes the value.",
)
