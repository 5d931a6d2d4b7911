"""What averaging does to values: how much of their size survives in the output, by position."""

import numpy as np

from dva_lens.records import RowTile
from dva_lens.sites import TILES
from dva_lens.statistics.extended.tiles import (
    PerRow,
    RowMeasure,
    gathered,
    mean_value,
    row_mass,
    sum_over_keys,
    values_per_head,
    weights_of,
)
from dva_lens.statistics.ratios import ratio
from dva_lens.statistics.statistic import UNIT, Statistic


def surviving_size(tile: RowTile) -> PerRow:
    """Return |sum p (v - mean)|^2 over sum p |v - mean|^2, with p divided by its sum."""
    values, weights, mass = values_per_head(tile), weights_of(tile), row_mass(tile)
    if values.ndim == 3:
        values = values - mean_value(tile)[:, None]
        mixed, size = weights @ values, weights @ (values**2).sum(-1)[..., None]
        return ratio((mixed**2).sum(-1), mass * size[..., 0])
    share = ratio(weights, mass[..., None])
    seen = tile.seen.astype(np.float64)
    mean = sum_over_keys(seen[None], values).sum(1) / max(seen.sum(), 1.0)
    kept = ((sum_over_keys(share, values) - share.sum(-1)[..., None] * mean[:, None]) ** 2).sum(-1)
    size = (values**2).sum(-1) - 2 * (values @ mean[:, None, :, None])[..., 0]
    size = np.maximum(size + (mean**2).sum(-1)[:, None, None], 0.0)
    return ratio(kept, (share * size).sum(-1))


MEASURES = {"surviving_size": RowMeasure(surviving_size)}

SURVIVING_SIZE = Statistic(
    name="surviving_size",
    version=1,
    long_name="Share of the values' variance that survives averaging",
    units="1",
    meaning="Squared size of the averaged value over the mean squared size; 1 is no averaging.",
    formula=(
        r"\lVert \sum_j p_{ij}(v_{ij}-\bar v)\rVert^2 / "
        r"\sum_j p_{ij}\lVert v_{ij}-\bar v\rVert^2"
    ),
    source="A ratio of ours, after the aggregated-value variance by position of arXiv 2605.06611",
    at="query",
    needs=(TILES,),
    compute=gathered("surviving_size"),
    bounds=UNIT,
    reference=None,
    why_no_reference="for independent values it is the sum of squared weights, 1 / visible keys",
    row_mass="weights are divided by their sum",
    pitfalls="Alike values survive averaging as well as attention to a single key does.",
)
