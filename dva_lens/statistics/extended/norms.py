"""Weights times what they carry: Kobayashi's norm-based attention, as it is and centred."""

# Strict but for what scipy leaves untyped in its own signatures.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

import numpy as np
from jaxtyping import Float
from scipy.special import entr

from dva_lens.records import RowTile
from dva_lens.sites import TILES, WRITTEN
from dva_lens.statistics.extended.tiles import (
    PerRow,
    RowMeasure,
    cached,
    gathered,
    mean_value,
    projection,
    sum_over_keys,
    times_gram,
    values_per_head,
    weights_of,
    written_power,
)
from dva_lens.statistics.ratios import ratio
from dva_lens.statistics.statistic import UNIT, Statistic, entropy_range

WHY_NO_REFERENCE = "it depends on the values; with values of equal size it is that of the weights"


def weighted_norms(tile: RowTile, *, centred: bool) -> Float[np.ndarray, "head row key"]:
    """Return |a_ij W_O v_ij| for every pair, the mean value of the keys taken off if `centred`."""
    name = "centred norms" if centred else "norms"
    return cached(tile, name, lambda: _weighted_norms(tile, centred=centred))


def _weighted_norms(tile: RowTile, *, centred: bool) -> Float[np.ndarray, "head row key"]:
    power = written_power(tile)
    if centred:
        values, centre = values_per_head(tile), _centre(tile)
        inner = times_gram(centre[:, None], projection(tile))
        along = values @ inner.reshape(len(inner), *(1,) * (values.ndim - 3), -1, 1)
        own = (inner[:, 0] * centre).sum(-1).reshape(-1, *(1,) * (power.ndim - 1))
        power = np.maximum(power - 2 * along[..., 0] + own, 0.0)
    size = np.sqrt(power)
    return np.abs(weights_of(tile)) * (size if size.ndim == 3 else size[:, None])


def norm_entropy(tile: RowTile, *, centred: bool = False) -> PerRow:
    """Return the entropy of the weighted norms divided by their sum."""
    sizes = weighted_norms(tile, centred=centred)
    share = ratio(sizes, sizes.sum(-1, keepdims=True))
    return entr(share).sum(-1)


def first_norm_share(tile: RowTile, *, centred: bool = False) -> PerRow:
    """Return the first key's share of the weighted norms, for rows that see it."""
    sizes = weighted_norms(tile, centred=centred)
    found = ratio(sizes[..., 0], sizes.sum(-1))
    return np.where(tile.seen[:, 0], found, np.nan)


def _centre(tile: RowTile) -> Float[np.ndarray, "head width"]:
    """Return the mean value of each head over the keys, or over the pairs of this tile."""
    values = values_per_head(tile)
    if values.ndim == 3:
        return mean_value(tile)
    seen = tile.seen.astype(np.float64)[None]
    return sum_over_keys(seen, values).sum(1) / max(tile.seen.sum(), 1)


def _entry(name: str, long_name: str, units: str, meaning: str, formula: str) -> Statistic:
    centred = name.endswith("_centred")
    return Statistic(
        name=name,
        version=1,
        long_name=long_name,
        units=units,
        meaning=meaning,
        formula=formula,
        source="Kobayashi et al. 2020 (arXiv 2004.10102), section 3"
        + (", after taking off the mean value" if centred else ""),
        at="query",
        needs=(TILES, WRITTEN),
        compute=gathered(name),
        bounds=UNIT if units == "1" else entropy_range,
        reference=None,
        why_no_reference=WHY_NO_REFERENCE,
        row_mass="weighted norms are divided by their sum",
        pitfalls=(
            "Centred on the mean value over keys, or over the pairs of a tile for values that "
            "depend on the query."
            if centred
            else "A shift v -> v - c that attention does not feel changes it: see the centred one."
        ),
    )


MEASURES = {
    "norm_entropy": RowMeasure(norm_entropy),
    "norm_entropy_centred": RowMeasure(lambda tile: norm_entropy(tile, centred=True)),
    "first_norm_share": RowMeasure(first_norm_share),
    "first_norm_share_centred": RowMeasure(lambda tile: first_norm_share(tile, centred=True)),
}

NORM_ENTROPY = _entry(
    "norm_entropy",
    "Entropy of weighted norms",
    "nat",
    "How widely what a query receives is spread, weights and sizes of values together.",
    r"H\left(\lVert a_{ij} W_O v_{ij}\rVert / \sum_k \lVert a_{ik} W_O v_{ik}\rVert\right)",
)
NORM_ENTROPY_CENTRED = _entry(
    "norm_entropy_centred",
    "Entropy of centred weighted norms",
    "nat",
    "How widely what differs from the mean value is spread over keys.",
    r"H\left(\lVert a_{ij} W_O (v_{ij} - \bar v)\rVert / \sum_k \cdot\right)",
)
FIRST_NORM_SHARE = _entry(
    "first_norm_share",
    "First key's share of weighted norms",
    "1",
    "The first token's share of what a query receives, by size.",
    r"\lVert a_{i0} W_O v_{i0}\rVert / \sum_k \lVert a_{ik} W_O v_{ik}\rVert",
)
FIRST_NORM_SHARE_CENTRED = _entry(
    "first_norm_share_centred",
    "First key's share of centred weighted norms",
    "1",
    "The first token's share of what differs from the mean value, by size.",
    r"\lVert a_{i0} W_O (v_{i0} - \bar v)\rVert / \sum_k \cdot",
)
