"""Other ways to say how concentrated a row is: Renyi's entropy, Hoyer, Gini, the top five."""

import numpy as np

from dva_lens.records import LayerRecord, RowTile
from dva_lens.sites import SUMMARY, TILES
from dva_lens.statistics.extended.tiles import (
    PerRow,
    RowMeasure,
    gathered,
    ordered_weights,
    row_mass,
    visible_keys,
)
from dva_lens.statistics.ratios import ratio
from dva_lens.statistics.statistic import UNIT, SharedRecord, Statistic, entropy_range
from dva_lens.statistics.visible import positions, visible_counts

TOP = 5


def renyi_entropy(layer: LayerRecord, shared: SharedRecord) -> np.ndarray:
    """Return minus the log of the sum of squares of the divided weights."""
    del shared
    summary = layer.at(SUMMARY)
    mass = summary.row_mass.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.maximum(2 * np.log(mass) - np.log(summary.square_sum), 0.0)


def hoyer(layer: LayerRecord, shared: SharedRecord) -> np.ndarray:
    """Return (sqrt n - l1 / l2) / (sqrt n - 1)."""
    del shared
    summary = layer.at(SUMMARY)
    root = np.sqrt(visible_counts(summary.visible, 2))[:, None]
    length = np.sqrt(summary.square_sum.astype(np.float64))
    return np.clip((root - ratio(summary.row_mass, length)) / (root - 1), 0.0, 1.0)


def gini(tile: RowTile) -> PerRow:
    """Return the Gini coefficient over its largest value, (n - 1) / n.

    Keys that a row does not see hold zero and sort first, so only the ranks have to be moved.
    """
    count = visible_keys(tile)
    ordered = ordered_weights(tile)
    hidden = tile.weights.shape[-1] - count
    rank = 1 + positions(ordered.shape[-1]) - hidden[:, None]
    mean_rank = ratio(np.einsum("hrk,rk->hr", ordered, rank), row_mass(tile))
    several = np.where(count >= 2, count, np.nan)
    return np.clip((2 * mean_rank - several - 1) / (several - 1), 0.0, 1.0)


def top_mass(tile: RowTile) -> PerRow:
    """Return the weight on the `TOP` heaviest keys, for rows that see as many."""
    count = visible_keys(tile)
    return np.where(count >= TOP, ordered_weights(tile)[..., -TOP:].sum(-1), np.nan)


MEASURES = {"gini": RowMeasure(gini), "top_mass": RowMeasure(top_mass)}

RENYI_ENTROPY = Statistic(
    name="renyi_entropy",
    version=1,
    long_name="Renyi entropy of order 2",
    units="nat",
    meaning="Entropy dominated by heavy keys: minus the log of the chance that two draws agree.",
    formula=r"-\log \sum_j (p_{ij} / \rho_i)^2",
    source="Renyi 1961; its exponential is the participation ratio",
    at="query",
    needs=(SUMMARY,),
    compute=renyi_entropy,
    bounds=entropy_range,
    reference=lambda visible: np.log(visible_counts(visible)),
    row_mass="weights are divided by their sum",
    pitfalls="Never above the Shannon entropy; the largest weight dominates it.",
)

HOYER = Statistic(
    name="hoyer",
    version=1,
    long_name="Hoyer sparseness",
    units="1",
    meaning="How sparse a row is: 0 is uniform, 1 is one key.",
    formula=r"(\sqrt{n_i} - \ell_1 / \ell_2) / (\sqrt{n_i} - 1)",
    source="Hoyer 2004, section 3.1",
    at="query",
    needs=(SUMMARY,),
    compute=hoyer,
    bounds=UNIT,
    reference=lambda visible: visible_counts(visible, 2) * 0.0,
    first_row="dropped",
    row_mass="does not depend on it",
)

GINI = Statistic(
    name="gini",
    version=1,
    long_name="Gini coefficient",
    units="1",
    meaning="Inequality of the weights of a row: 0 is uniform, 1 is one key.",
    formula=r"\frac{n}{n-1}\left(\frac{2\sum_k k\,p_{(k)}}{n\,\rho} - \frac{n+1}{n}\right)",
    source="Gini 1912; divided by its largest value (n - 1) / n",
    at="query",
    needs=(TILES,),
    compute=gathered("gini"),
    bounds=UNIT,
    reference=lambda visible: visible_counts(visible, 2) * 0.0,
    first_row="dropped",
    row_mass="does not depend on it",
    pitfalls="The many small weights decide it, whereas Hoyer depends on the large ones.",
)

TOP_MASS = Statistic(
    name="top_mass",
    version=1,
    long_name="Weight on the five heaviest keys",
    units="1",
    meaning="The share of its attention that a query gives to its five heaviest keys.",
    formula=r"\sum_{k=1}^{5} p_{(n+1-k)}",
    source="Top-k mass; k = 5 is this project's choice",
    at="query",
    needs=(TILES,),
    compute=gathered("top_mass"),
    bounds=UNIT,
    reference=lambda visible: TOP / visible_counts(visible, TOP),
    first_row="dropped",
    pitfalls="Rows that see fewer than five keys are left out.",
)
