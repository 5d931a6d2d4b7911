"""Whether values truly depend on the pair of query and key, beyond what a collapse could give.

Dynamism is positive for any value that moves with the query. The *interaction share* is zero
where v_ij is a sum of a key's and a query's part; the *operator rank* says how many static heads
would be needed; the *non-affine share* is what no affine map of a static value, one per query,
can give.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from dva_lens.records import RowTile
from dva_lens.sites import TILES, WRITTEN
from dva_lens.statistics.extended.tiles import (
    SumMeasure,
    gathered,
    projection,
    values_per_head,
    weights_of,
    written_power,
)
from dva_lens.statistics.extended.twoway import static_squares, sums_of_squares
from dva_lens.statistics.ratios import ratio
from dva_lens.statistics.statistic import UNIT, Statistic
from dva_lens.statistics.visible import positions

PARTS = ("key", "query", "interaction")
WEIGHTINGS = ("uniform", "attention", "uniform without first", "attention without first")
LOST_ENERGY = 0.01
KEYS_PER_CHANNEL, KEYS_PER_COEFFICIENT = 8, 4


def decomposition_sums(tile: RowTile) -> Float[np.ndarray, "head weighting part"]:
    """Return squares explained by key, query and neither within a tile, and their total."""
    values, power, gram = values_per_head(tile), written_power(tile), projection(tile)
    uniform, attention = tile.seen.astype(np.float64)[None], np.abs(weights_of(tile))
    later = (positions(tile.weights.shape[-1]) > 0).astype(np.float64)
    if values.ndim == 3:
        masses = (uniform.sum(1), attention.sum(1))
        masses = (*masses, *(each * later for each in masses))
        found = [static_squares(values, mass, gram, power) for mass in masses]
    else:
        uniform = np.broadcast_to(uniform, attention.shape)
        weightings = (uniform, attention, uniform * later, attention * later)
        found = [sums_of_squares(values, each, gram, power) for each in weightings]
    return np.stack(found, axis=1)


def decomposition_shares(sums: np.ndarray) -> Float[np.ndarray, "head weighting part"]:
    """Return shares of the centred variance."""
    return ratio(sums[..., :3], sums[..., 3:])


@final
@dataclass(frozen=True)
class OperatorRank:
    """How many directions of keys the values use, over queries and channels pooled.

    `gram` is over keys; queries may come in any order and number, for the same keys.
    """

    gram: Float[np.ndarray, "key key"]
    width: int

    @classmethod
    def of(cls, values: Float[np.ndarray, "query key width"]) -> "OperatorRank":
        """Take v_ij of some queries and the chosen keys."""
        flat = np.moveaxis(values.astype(np.float64), 1, 2).reshape(-1, values.shape[1])
        return cls(flat.T @ flat, values.shape[2])

    def merge(self, other: "OperatorRank") -> "OperatorRank":
        """Add other queries."""
        return OperatorRank(self.gram + other.gram, self.width)

    def summary(self, lost: float = LOST_ENERGY) -> float:
        """Return the rank that holds all but `lost` of the energy, over the width of a value.

        Static values need at most the width, hence a result of one or less. Fewer keys than
        eight times the width would bound the rank from above, and are refused.

        Raises
        ------
        ValueError
            There are fewer keys than that.
        """
        fewest = KEYS_PER_CHANNEL * self.width
        if len(self.gram) < fewest:
            raise ValueError(
                f"The operator rank needs at least {KEYS_PER_CHANNEL} keys per channel, {fewest}, "
                f"got {len(self.gram)}; pool the keys of several texts."
            )
        energy = np.maximum(np.linalg.eigvalsh(self.gram)[::-1], 0.0)
        total = energy.sum()
        if total == 0:
            return float("nan")
        held = np.cumsum(energy) / total
        return float((np.searchsorted(held, 1 - lost) + 1) / self.width)


def non_affine_share(
    values: Float[np.ndarray, "query key width"],
    static: Float[np.ndarray, "key channel"],
    *,
    seed: int = 0,
) -> float:
    """Return 1 - R^2, on keys held out, of v_ij predicted by an affine map of a static value.

    Parameters
    ----------
    values : array
        v_ij of some queries and of keys that were sampled evenly, not by attention: a weighted
        or in-sample fit interpolates where few keys count, and reads zero.
    static : array
        The static value of each key. Each query has its own map.
    seed : int
        Which half of the keys the maps are fitted on.

    Raises
    ------
    ValueError
        There are too few keys for the coefficients of a map.
    """
    keys, channels = static.shape
    fewest = KEYS_PER_COEFFICIENT * (channels + 1)
    if keys < fewest:
        raise ValueError(
            f"The maps have {channels + 1} coefficients per channel and need at least {fewest} "
            f"keys, got {keys}; pool the keys of several texts."
        )
    order = np.random.default_rng(seed).permutation(keys)
    fitted, held = order[: keys // 2], order[keys // 2 :]
    design = np.column_stack([np.ones(keys), static.astype(np.float64)])
    wanted = values.astype(np.float64)
    maps = np.linalg.pinv(design[fitted]) @ wanted[:, fitted]
    error = wanted[:, held] - design[held] @ maps
    spread = wanted[:, held] - wanted[:, fitted].mean(1, keepdims=True)
    total = float((spread**2).sum())
    return float((error**2).sum()) / total if total > 0 else float("nan")


MEASURES = {"value_decomposition": SumMeasure(decomposition_sums, decomposition_shares)}

VALUE_DECOMPOSITION = Statistic(
    name="value_decomposition",
    version=1,
    long_name="What values depend on",
    units="1",
    meaning="Shares of the values' variance due to the key, the query, and their pairing.",
    formula=r"v_{ij} = \mu + \kappa_j + \theta_i + \iota_{ij},\quad "
    r"\sum w_{ij}\lVert W_O\,\cdot\,\rVert^2 \text{ over the total}",
    source="Two-way analysis of variance by weighted least squares, in units of W_O",
    at="head",
    needs=(TILES, WRITTEN),
    compute=gathered("value_decomposition"),
    bounds=UNIT,
    reference=None,
    why_no_reference="it is about values; static values read 1 for the key whatever the pattern",
    extra={"weighting": WEIGHTINGS, "part": PARTS},
    pitfalls=(
        "A gate of the query alone counts as interaction although it collapses: read the operator "
        "rank and the non-affine share beside it. Fitted within tiles of rows."
    ),
)
