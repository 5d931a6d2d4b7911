"""How low attention entropy can fall, given the size of the scores: entropy collapse."""

import numpy as np
from jaxtyping import Float

from dva_lens.records import RowTile
from dva_lens.sites import TILES
from dva_lens.statistics.extended.tiles import (
    PerRow,
    RowMeasure,
    gathered,
    visible_keys,
    weights_of,
)
from dva_lens.statistics.statistic import Statistic, entropy_range

UNDERFLOW = float(np.finfo(np.float32).tiny)


def lowest_entropy(
    sigma: float | Float[np.ndarray, "*batch"], visible: int | np.ndarray
) -> np.ndarray:
    """Return the smallest entropy of a row over `visible` keys (Zhai et al. 2023, theorem 3.1).

    Parameters
    ----------
    sigma : float or array
        Spectral norm of W_K W_Q^T times that of X X^T, divided by sqrt of the head width where
        scores are; or, for one row, the norm of its centred scores, which it bounds.
    visible : int or array
        Keys that the row sees; one key has no entropy to lose.
    """
    sigma, count = np.asarray(sigma, dtype=np.float64), np.asarray(visible, dtype=np.float64)
    several = np.where(count > 1, count, np.nan)
    beta = np.exp(-sigma * np.sqrt(several / (several - 1)))
    rest = 1 + (several - 1) * beta
    return np.asarray(
        np.log(rest) + sigma * np.sqrt(several * (several - 1)) * beta / rest, dtype=np.float64
    )


def score_sigma(
    states: Float[np.ndarray, "position channel"],
    query: Float[np.ndarray, "channel width"],
    key: Float[np.ndarray, "channel width"],
    scale: float = 1.0,
    *,
    rotary: bool = False,
) -> float:
    """Return the sigma of `lowest_entropy` from the states and weights of one head.

    Rotary positions turn queries against keys by any angle; then the product of both norms
    stands in for the norm of the product, which may be smaller at one angle and not at another.
    """
    query, key = query.astype(np.float64), key.astype(np.float64)
    product = (
        np.linalg.norm(key, ord=2) * np.linalg.norm(query, ord=2)
        if rotary
        else np.linalg.norm(key @ query.T, ord=2)
    )
    return float(scale * product * np.linalg.norm(states.astype(np.float64), ord=2) ** 2)


def score_spread(tile: RowTile) -> PerRow:
    """Return the norm of the centred scores of each row, read off its weights.

    Scores are the logs of weights up to a constant. Weights that rounding took to zero count as
    the smallest number there is.
    """
    count = np.maximum(visible_keys(tile), 1.0)[:, None]
    logs, seen = np.maximum(weights_of(tile), UNDERFLOW), tile.seen.astype(np.float64)
    np.log(logs, out=logs)
    logs *= seen
    logs -= logs.sum(-1, keepdims=True) / count
    logs *= seen
    return np.linalg.norm(logs, axis=-1)


def entropy_floor(tile: RowTile) -> PerRow:
    """Return the smallest entropy that scores as far apart as those of each row allow."""
    return lowest_entropy(score_spread(tile), visible_keys(tile)[None])


MEASURES = {"entropy_floor": RowMeasure(entropy_floor)}

ENTROPY_FLOOR = Statistic(
    name="entropy_floor",
    version=1,
    long_name="Floor of the attention entropy",
    units="nat",
    meaning="The smallest entropy that scores of this size allow; near 0, attention can collapse.",
    formula=(
        r"\log(1 + (n-1)\beta) + \frac{\sigma\sqrt{n(n-1)}\,\beta}{1 + (n-1)\beta},\quad "
        r"\beta = e^{-\sigma\sqrt{n/(n-1)}},\ \sigma = \lVert s_i - \bar s_i\rVert"
    ),
    source="Zhai et al. 2023 (arXiv 2303.06296), theorem 3.1, with each row's own scores",
    at="query",
    needs=(TILES,),
    compute=gathered("entropy_floor"),
    bounds=entropy_range,
    reference=lambda visible: np.log(np.where(np.asarray(visible) > 1, visible, np.nan)),
    first_row="dropped",
    row_mass="does not depend on it for softmax; not about sigmoid, whose weights do not compete",
    pitfalls=(
        "The norm grows with the number of keys, so the floor of a long row is low whatever the "
        "model does: compare spans. The bound from the weights alone is lower still."
    ),
)
