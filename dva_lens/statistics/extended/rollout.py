"""Attention rollout without any N x N matrix: follow chosen inputs through the layers by rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float

from dva_lens.records import RowTile


@final
@dataclass(frozen=True)
class Carried:
    """Each position's share of the followed inputs, so far.

    `attended` goes by the weights of each layer, `uniform` by even weights over the keys that
    the layer lets its queries see: the yardstick.
    """

    attended: Float[np.ndarray, "position input"]
    uniform: Float[np.ndarray, "position input"]

    @classmethod
    def of(cls, start: Float[np.ndarray, "position input"]) -> "Carried":
        """Begin at the embedding, with columns of the identity."""
        return cls(start, start)


def rollout_step(tiles: Iterable[RowTile], carried: Carried) -> Carried:
    """Carry shares of inputs through one layer: rows of (mean over heads + identity), divided.

    Parameters
    ----------
    tiles : iterable of RowTile
        All rows of one layer.
    carried : Carried
        Shares before the layer.

    Raises
    ------
    ValueError
        If the tiles do not hold every row of the layer.
    """
    attended = np.full(carried.attended.shape, np.nan)
    uniform = attended.copy()
    for tile in tiles:
        rows, seen = tile.weights.astype(np.float64).mean(0), tile.seen.astype(np.float64)
        even = seen / np.maximum(seen.sum(-1, keepdims=True), 1.0)
        attended[tile.queries] = _mixed(rows, carried.attended, tile)
        uniform[tile.queries] = _mixed(even, carried.uniform, tile)
    if np.isnan(attended).any():
        missing = int(np.flatnonzero(np.isnan(attended).any(1))[0])
        raise ValueError(f"The tiles must hold every row of the layer; row {missing} is missing.")
    return Carried(attended, uniform)


def _mixed(
    rows: Float[np.ndarray, "row key"], before: Float[np.ndarray, "key input"], tile: RowTile
) -> Float[np.ndarray, "row input"]:
    return (rows @ before + before[tile.queries]) / (rows.sum(-1, keepdims=True) + 1.0)
