"""What queries can see: numbers of keys, who sees the first key, and what uniform sight gives.

Causal, windowed and bidirectional attention alike show a key to one run of queries.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

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


def rest_mass(summary: AttentionSummary) -> np.ndarray:
    """Return the weight of each query on the keys but the first, NaN where it means nothing.

    That is where the first key is out of sight, no other key is seen, or so little is left that
    the smallest weights there are have lost digits.
    """
    rest = summary.rest_mass
    digits = np.finfo(rest.dtype)
    keys = visible_counts(summary.visible, 2)[:, None]
    least = keys * (float(digits.tiny) / float(digits.eps))
    with np.errstate(invalid="ignore"):
        usable = sees_first(summary) & (rest > least)
    return np.where(usable, rest, np.nan).astype(np.float64)


def sees_ahead(visible: Int[np.ndarray, "sequence query"]) -> Bool[np.ndarray, "sequence"]:
    """Say in which sequences some query sees more keys than there are up to it."""
    return np.any(visible > positions(visible.shape[-1]) + 1, axis=-1)


def first_seen(visible: Int[np.ndarray, "sequence query"]) -> Int[np.ndarray, "sequence query"]:
    """Return the first key of the run that each query sees.

    The run ends at the query itself, or reaches as far ahead as the first query sees. Where no
    query sees fewer keys than there are up to it, every run begins at the first key.
    """
    place = positions(visible.shape[-1])
    back = np.maximum(place + 1 - visible, 0)
    whole = np.all((visible > place) | (visible < 0), axis=-1, keepdims=True)
    both = np.where(whole, 0, np.maximum(place - (visible[:, :1] - 1), 0))
    return np.where(sees_ahead(visible)[:, None], both, back)


def uniform_received_across(
    visible: Int[np.ndarray, "sequence query"], viewers: Int[np.ndarray, "sequence key"]
) -> Float[np.ndarray, "sequence key"]:
    """Return the same for the keys of another text, each of which all queries see or none."""
    share = np.where(visible > 0, 1.0 / np.maximum(visible, 1), 0.0).sum(-1)
    return np.where(viewers < 0, np.nan, np.where(viewers > 0, share[:, None], 0.0))


def uniform_received(
    visible: Int[np.ndarray, "sequence position"],
    viewers: Int[np.ndarray, "sequence position"],
    lengths: Int[np.ndarray, "sequence"],
    fewest: int = 1,
) -> Float[np.ndarray, "sequence position"]:
    """Return the mass that each key receives when queries spread evenly over what they see.

    Queries that see fewer than `fewest` keys are left out.
    """
    share = np.where(visible >= fewest, 1.0 / np.where(visible > 0, visible, 1), 0.0)
    return summed_over_viewers(share, visible, viewers, lengths=lengths)


def summed_over_viewers(
    numbers: Float[np.ndarray, "sequence position"],
    visible: Int[np.ndarray, "sequence position"],
    viewers: Int[np.ndarray, "sequence position"],
    *,
    lengths: Int[np.ndarray, "sequence"],
) -> Float[np.ndarray, "sequence position"]:
    """Return the sum of a number of each query over the queries that see each key.

    A key is seen by one run of queries. It starts at the key itself in causal attention, and
    at the first query within the window otherwise.
    """
    count = visible.shape[-1]
    place = positions(count)
    real = place < lengths[:, None]
    given = np.where(real, numbers, 0.0)
    running = np.concatenate([np.zeros((len(given), 1)), np.cumsum(given, axis=1)], axis=1)
    reach = np.where(sees_ahead(visible), visible[:, 0] - 1, 0)
    start = np.maximum(place - reach[:, None], 0)
    stop = np.where(real, start + np.where(viewers > 0, viewers, 0), start)
    found = np.take_along_axis(running, np.minimum(stop, count), axis=1)
    return np.where(real, found - np.take_along_axis(running, start, axis=1), np.nan)
