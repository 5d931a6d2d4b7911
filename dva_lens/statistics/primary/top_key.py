"""The key that receives most of each head in each text: its mass, where it stands, what it is.

A sink need not be the first key, and it has a token in every text, not only in those that are
shown. The key is chosen by its mass, so its mass is high by the choice alone, also where attention
is noise: whoever says that a head has a sink judges a key that was chosen on other texts
(`dva_lens.statistics.sinks`).
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from dva_lens.axes import MANY_KEYS
from dva_lens.records import LayerRecord
from dva_lens.sites import SUMMARY, AttentionSummary
from dva_lens.statistics.ratios import ratio
from dva_lens.statistics.statistic import UNIT, Labels, SharedRecord, Statistic
from dva_lens.statistics.visible import (
    positions,
    summed_over_viewers,
    uniform_received,
    uniform_received_across,
)

FEWEST_SHARE = 0.5
"""Keys count of which even attention gives so much in all: a single query cannot lift one high."""


class TopKey(NamedTuple):
    """The most attended key of each head, and what all keys have in common; NaN where none."""

    position: Float[np.ndarray, "sequence head"]
    mass: Float[np.ndarray, "sequence head"]
    queries: Float[np.ndarray, "sequence key"]
    even: Float[np.ndarray, "sequence key"]


def top_key(
    summary: AttentionSummary, lengths: Int[np.ndarray, "sequence"], *, across: bool = False
) -> TopKey:
    """Return the key with the largest mean weight over the queries that see it and many others.

    With `across` the keys are those of another text, each of which all queries see or none.
    """
    visible, viewers = summary.visible, summary.viewers
    many = (visible >= MANY_KEYS).astype(np.float64)
    if across:
        queries = np.where(viewers > 0, many.sum(-1)[:, None], 0.0)
        share = uniform_received_across(np.where(many > 0, visible, 0), viewers)
    else:
        queries = summed_over_viewers(many, visible, viewers, lengths=lengths)
        share = uniform_received(visible, viewers, lengths, MANY_KEYS)
    counted: Bool[np.ndarray, "sequence key"] = (share >= FEWEST_SHARE) & (queries > 0)
    mean = ratio(
        summary.late_received.astype(np.float64), np.where(counted, queries, 0.0)[:, None]
    )
    largest = np.where(np.isnan(mean), -np.inf, mean)
    place, found = largest.argmax(-1), largest.max(-1)
    held = np.isfinite(found)
    position = np.where(held, place, np.nan)
    return TopKey(position, np.where(held, found, np.nan), queries, ratio(share, queries))


def top_key_mass(layer: LayerRecord, shared: SharedRecord) -> Float[np.ndarray, "sequence head"]:
    """Return the mean weight on the most attended key."""
    return _of(layer, shared).mass


def _of(layer: LayerRecord, shared: SharedRecord) -> TopKey:
    return top_key(layer.at(SUMMARY), shared.lengths, across=shared.keys is not None)


def top_key_labels(layer: LayerRecord, shared: SharedRecord) -> Mapping[str, np.ndarray]:
    """Return where the most attended key stands, which token it is, and what its value is like."""
    found = _of(layer, shared)
    tokens = shared.tokens if shared.keys is None else shared.keys.tokens
    held = np.isfinite(found.position)
    place = np.where(held, found.position, 0).astype(np.int64)
    earlier = earlier_alike(tokens)

    def of_key(numbers: Float[np.ndarray, "sequence key"]) -> np.ndarray:
        return np.where(held, np.take_along_axis(numbers, place, -1), np.nan)

    return {
        "top_key_position": found.position,
        "top_key_token": of_key(tokens.astype(np.float64)),
        "top_key_earlier": of_key(earlier.astype(np.float64)),
        "top_key_queries": of_key(found.queries),
        "top_key_even": of_key(found.even),
        "top_key_drain": np.where(held, _drain(layer, place), np.nan),
    }


def earlier_alike(
    tokens: Int[np.ndarray, "sequence position"],
) -> Int[np.ndarray, "sequence position"]:
    """Return how often the token of each position stood before it in its sequence."""
    found = np.zeros(tokens.shape, dtype=np.int64)
    for row, before in zip(tokens, found, strict=True):
        order = np.argsort(row, kind="stable")
        begins = np.flatnonzero(np.diff(row[order], prepend=row.min(initial=0) - 1))
        lengths = np.diff(begins, append=len(row))
        before[order] = positions(len(row)) - np.repeat(begins, lengths)
    return found


def _drain(
    layer: LayerRecord, place: Int[np.ndarray, "sequence head"]
) -> Float[np.ndarray, "sequence head"]:
    """Return the size after W_O of the value at a key of each head, over the median."""
    if layer.written is None:
        return np.full(place.shape, np.nan)
    norm = layer.written.norm.astype(np.float64)
    group = positions(place.shape[1]) // max(1, place.shape[1] // norm.shape[1])
    held = np.where(np.isnan(norm).all(-1, keepdims=True), 0.0, norm)
    median = np.nanmedian(held, axis=-1)[:, group]
    return ratio(np.take_along_axis(norm[:, group], place[..., None], -1)[..., 0], median)


def uniform_top_key(lengths: np.ndarray) -> np.ndarray:
    """Return the mean of 1 / (i + 1) over the causal queries that see many keys."""
    sizes = np.asarray(lengths)
    longest = max(int(sizes.max(initial=1)), MANY_KEYS)
    share = np.where(positions(longest) + 1 >= MANY_KEYS, 1 / (positions(longest) + 1), 0.0)
    total = np.cumsum(share)[np.minimum(sizes, longest) - 1]
    return ratio(total, np.where(total >= FEWEST_SHARE, sizes - MANY_KEYS + 1, 0))


TOP_KEY_MASS = Statistic(
    name="top_key_mass",
    version=1,
    long_name="Weight on the most attended key",
    units="1",
    meaning=(
        "The largest mean weight on any one key, over the queries that see it and at least 16 "
        "keys."
    ),
    formula=(
        r"\max_k \frac{1}{|Q_k|}\sum_{i\in Q_k} A_{ik},\quad "
        r"Q_k = \{i : i \text{ sees } k,\ n_i \ge 16\}"
    ),
    source="Gu et al. 2024 (arXiv 2410.10781), importance of every position, largest of a text",
    at="head",
    needs=(SUMMARY,),
    signed=True,
    compute=top_key_mass,
    bounds=UNIT,
    reference=uniform_top_key,
    pitfalls=(
        "A maximum over keys is above the mean of any of them by chance alone; a sink is judged "
        "on keys chosen elsewhere. Keys of which uniform attention gives less than half the "
        "weight of one query, such as the last ones of a text, are left out: one query that "
        "attends to itself would turn them into sinks."
    ),
    labels=Labels(
        {
            "top_key_position": ("Position of the most attended key", "tokens"),
            "top_key_token": ("Token of the most attended key", "token id"),
            "top_key_earlier": ("How often that token stood before it", "1"),
            "top_key_queries": ("Queries that see that key and at least 16 keys", "queries"),
            "top_key_even": ("Mean weight that uniform attention gives that key", "1"),
            "top_key_drain": ("Size of that key's value after W_O over the median", "1"),
        },
        top_key_labels,
    ),
)
