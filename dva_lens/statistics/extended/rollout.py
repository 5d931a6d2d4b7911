"""Attention rollout without any N x N matrix: follow chosen inputs through the layers by rows."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

from dva_lens.records import RowTile


def rollout_step(
    tiles: Iterable[RowTile], carried: Float[np.ndarray, "position input"]
) -> Float[np.ndarray, "position input"]:
    """Carry shares of inputs through one layer: rows of (mean over heads + identity), divided.

    Parameters
    ----------
    tiles : iterable of RowTile
        All rows of one layer.
    carried : array
        Each position's share of the followed inputs before the layer; columns of the identity at
        the embedding.

    Raises
    ------
    ValueError
        The tiles do not hold every row of the layer.
    """
    found = np.full(carried.shape, np.nan)
    for tile in tiles:
        rows = tile.weights.astype(np.float64).mean(0)
        mixed = rows @ carried + carried[tile.queries]
        found[tile.queries] = mixed / (rows.sum(-1, keepdims=True) + 1.0)
    if np.isnan(found).any():
        missing = int(np.flatnonzero(np.isnan(found).any(1))[0])
        raise ValueError(f"The tiles must hold every row of the layer; row {missing} is missing.")
    return found


def uniform_rollout(
    carried: Float[np.ndarray, "position input"],
) -> Float[np.ndarray, "position input"]:
    """Carry shares through one layer of uniform causal attention: the yardstick of rollout."""
    count = np.arange(1, len(carried) + 1)[:, None]
    return (np.cumsum(carried, axis=0) / count + carried) / 2
