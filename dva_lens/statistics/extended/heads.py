"""What heads look at: the token before, the same token, what followed it; and how far back.

Scores come in two definitions. TransformerLens multiplies the pattern with the ideal one and
divides by the whole pattern, so rows without any target lower the score; the corrected score is
the mean over the rows that have one.
"""

import numpy as np
from jaxtyping import Float, Int

from dva_lens.records import LayerRecord, RowTile
from dva_lens.sites import SUMMARY, TILES
from dva_lens.statistics.extended.tiles import SumMeasure, gathered, row_mass, weights_of
from dva_lens.statistics.ratios import ratio
from dva_lens.statistics.statistic import UNIT, SharedRecord, Statistic
from dva_lens.statistics.visible import (
    first_seen,
    positions,
    rest_mass,
    sees_ahead,
    visible_counts,
)

DEFINITIONS = ("corrected", "transformer_lens")
PITFALLS = (
    "Compare with the chance to hit a target by attending evenly; TransformerLens's score cannot "
    "reach one where the first row has no target."
)


def previous_score(layer: LayerRecord, shared: SharedRecord) -> np.ndarray:
    """Return both scores of attending to the token before."""
    del shared
    summary = layer.at(SUMMARY)
    previous = summary.previous_mass[..., 1:].astype(np.float64)
    hits = np.nan_to_num(previous, nan=0.0).sum(-1)
    rows = np.isfinite(previous).sum(-1)
    total = np.nan_to_num(summary.row_mass.astype(np.float64), nan=0.0).sum(-1)
    return np.stack([ratio(hits, rows), ratio(hits, total)], axis=-1)


def uniform_previous(lengths: np.ndarray) -> Float[np.ndarray, "*length definition"]:
    """Return both scores of uniform causal attention at these lengths."""
    lengths = np.asarray(lengths)
    harmonic = np.cumsum(1.0 / np.arange(1, int(lengths.max(initial=1)) + 1))
    hits = harmonic[lengths - 1] - 1.0
    return np.stack([ratio(hits, lengths - 1.0), hits / lengths], axis=-1)


def duplicate_targets(tile: RowTile) -> np.ndarray:
    """Return the earlier places of each row's own token; one that is not known (-1) has none."""
    own = tile.tokens[tile.queries][:, None]
    same = (own == tile.tokens[None, :]) & (own >= 0)
    return same & (np.arange(len(tile.tokens)) < tile.queries[:, None])


def induction_targets(tile: RowTile) -> np.ndarray:
    """Return the places after earlier places of each row's own token."""
    shifted = np.zeros((len(tile.queries), len(tile.tokens)), dtype=bool)
    shifted[:, 1:] = duplicate_targets(tile)[:, :-1]
    return shifted & (np.arange(len(tile.tokens)) <= tile.queries[:, None])


def score_sums(tile: RowTile, targets: np.ndarray) -> Float[np.ndarray, "head part"]:
    """Return weight on targets, rows that see one, and all weight."""
    weights, targets = weights_of(tile), targets & tile.seen
    hits = weights.reshape(len(weights), -1) @ targets.ravel().astype(np.float64)
    rows = np.full(len(weights), float(targets.any(-1).sum()))
    return np.column_stack([hits, rows, row_mass(tile).sum(-1)])


def scores(sums: np.ndarray) -> np.ndarray:
    """Return the corrected score and TransformerLens's."""
    return np.column_stack([ratio(sums[:, 0], sums[:, 1]), ratio(sums[:, 0], sums[:, 2])])


def distance(layer: LayerRecord, shared: SharedRecord) -> np.ndarray:
    """Return the mean distance that each query looks back."""
    del shared
    summary = layer.at(SUMMARY)
    return ratio(summary.distance, summary.row_mass)


def sink_free_distance(layer: LayerRecord, shared: SharedRecord) -> np.ndarray:
    """Return the same without the first key, which is as far back as anything can be.

    Where every query looks back, rounding cannot make it negative.
    """
    del shared
    summary = layer.at(SUMMARY)
    found = summary.rest_distance / rest_mass(summary)
    back = ~sees_ahead(summary.visible)[:, None, None]
    return np.where(back, np.maximum(found, 0.0), found)


def uniform_distance(
    visible: Int[np.ndarray, "*batch"], skipped: int = 0
) -> Float[np.ndarray, "*batch"]:
    """Return the mean distance to what a query sees, without so many first keys."""
    count = visible_counts(visible, skipped + 1)
    if np.ndim(visible) < 2:  # numbers alone, of causal attention
        return (count - skipped - 1) / 2
    place = positions(visible.shape[-1])
    start = np.maximum(first_seen(visible), skipped)
    return place - (start + first_seen(visible) + count - 1) / 2


MEASURES = {
    "duplicate_score": SumMeasure(lambda tile: score_sums(tile, duplicate_targets(tile)), scores),
    "induction_score": SumMeasure(lambda tile: score_sums(tile, induction_targets(tile)), scores),
}

PREVIOUS_SCORE = Statistic(
    name="previous_score",
    version=1,
    long_name="Previous-token score",
    units="1",
    meaning="Mean weight on the token before.",
    formula=r"\frac{1}{N-1}\sum_{i \ge 1} A_{i,i-1}",
    source="TransformerLens head_detector, previous_token_head; corrected for the first row",
    at="head",
    needs=(SUMMARY,),
    compute=previous_score,
    bounds=UNIT,
    reference=uniform_previous,
    extra={"definition": DEFINITIONS},
    pitfalls=PITFALLS,
    one_text=True,
)

DUPLICATE_SCORE = Statistic(
    name="duplicate_score",
    version=2,
    long_name="Duplicate-token score",
    units="1",
    meaning="Mean weight on earlier places of the same token, for queries that have one.",
    formula=r"\operatorname{mean}_i \sum_{j<i,\,x_j = x_i} A_{ij}",
    source="TransformerLens head_detector, duplicate_token_head; corrected for other rows",
    at="head",
    needs=(TILES,),
    compute=gathered("duplicate_score"),
    bounds=UNIT,
    reference=None,
    why_no_reference="it depends on how often tokens repeat",
    extra={"definition": DEFINITIONS},
    pitfalls=PITFALLS,
    one_text=True,
)

INDUCTION_SCORE = Statistic(
    name="induction_score",
    version=2,
    long_name="Induction score",
    units="1",
    meaning="Mean weight on the token that followed an earlier occurrence of the same token.",
    formula=r"\operatorname{mean}_i \sum_{j \le i,\,x_{j-1} = x_i} A_{ij}",
    source="TransformerLens head_detector, induction_head; Olsson et al. 2022 (arXiv 2209.11895)",
    at="head",
    needs=(TILES,),
    compute=gathered("induction_score"),
    bounds=UNIT,
    reference=None,
    why_no_reference="it depends on how often tokens repeat",
    extra={"definition": DEFINITIONS},
    pitfalls=PITFALLS + " On repeated random tokens it is the usual induction measure.",
    one_text=True,
)

DISTANCE = Statistic(
    name="distance",
    version=1,
    long_name="Attention distance",
    units="tokens",
    meaning="How many tokens back a query looks on average.",
    formula=r"\sum_j p_{ij}(i-j) / \rho_i",
    source="Mean attention distance, as in Raghu et al. 2021 (arXiv 2108.08810) for images",
    at="query",
    needs=(SUMMARY,),
    compute=distance,
    bounds=lambda length: (1 - length, length - 1),
    reference=uniform_distance,
    row_mass="weights are divided by their sum",
    pitfalls="A sink on the first token inflates it; distances ahead count as negative.",
    one_text=True,
)

SINK_FREE_DISTANCE = Statistic(
    name="sink_free_distance",
    version=3,
    long_name="Attention distance without the first key",
    units="tokens",
    meaning="How many tokens back a query looks on average, the first token left out.",
    formula=r"\sum_{j>0} p_{ij}(i-j) \Big/ \sum_{j>0} p_{ij}",
    source="Mean attention distance with the sink dropped",
    at="query",
    needs=(SUMMARY,),
    compute=sink_free_distance,
    bounds=lambda length: (1 - length, length - 2),
    reference=lambda visible: uniform_distance(visible, skipped=1),
    first_row="dropped",
    row_mass="the weights of the other keys are divided by their sum",
    pitfalls=(
        "NaN for queries that do not see the first key, or on which it leaves so little that "
        "the other weights underflow. Distances ahead count as negative, and where queries see "
        "both sides they cancel."
    ),
    one_text=True,
)
