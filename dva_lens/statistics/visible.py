"""What queries can see: numbers of keys, who sees the first key, and what uniform sight gives.

Causal, windowed and bidirectional attention alike show a key to one run of queries.
"""

import numpy as np
from jaxtyping import Float, Int

from dva_lens.sites import AttentionSummary


def positions(count: int) -> Int[np.ndarray, "position"]:
    """Return the numbers of so many positions, from 0 on."""
    return np.arange(count)


def visible_counts(
    visible: Int[np.ndarray, "*batch"], fewest: int = 1
) -> Float[np.ndarray, "*batch"]:
    """Return numbers of visible keys as floats, NaN below `fewest` and in padding."""
    visible = np.asarray(visible)
    return np.where(visible >= fewest, visible, np.nan).astype(np.float64)


def sees_first(summary: AttentionSummary) -> np.ndarray:
    """Say which queries see the first key, as (sequence, 1, query)."""
    place = positions(summary.visible.shape[-1])
    return (place < summary.viewers[:, :1])[:, None]


def uniform_received(
    visible: Int[np.ndarray, "sequence position"],
    viewers: Int[np.ndarray, "sequence position"],
    lengths: Int[np.ndarray, "sequence"],
) -> Float[np.ndarray, "sequence position"]:
    """Return the mass that each key receives when queries spread evenly over what they see.

    A key is seen by one run of queries. It starts at the key itself in causal attention, and
    at the first query within the window otherwise.
    """
    count = visible.shape[-1]
    place = positions(count)
    real = place < lengths[:, None]
    share = np.where(real, 1.0 / np.where(visible > 0, visible, 1), 0.0)
    running = np.concatenate([np.zeros((len(share), 1)), np.cumsum(share, axis=1)], axis=1)
    causal = np.where(real, visible <= place + 1, True).all(1)
    reach = np.where(causal, 0, visible[:, 0] - 1)
    start = np.maximum(place - reach[:, None], 0)
    stop = np.where(real, start + np.where(viewers > 0, viewers, 0), start)
    found = np.take_along_axis(running, np.minimum(stop, count), axis=1)
    return np.where(real, found - np.take_along_axis(running, start, axis=1), np.nan)
