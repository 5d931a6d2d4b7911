"""The values that queries receive from one key, where values differ from query to query.

For the keys of a text that receive most weight: how much each query gives, how large the value is
that it receives, and where that value lies in the plane in which the values of this key differ
most. A static value would be one point.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static, Values
from dva_lens.recording.norms import accurate
from dva_lens.recording.tiles import rows_of
from dva_lens.sites import KeyValues

KEYS = 2
"""Keys of every head whose values are kept."""
MOST_QUERIES = 2048
"""Queries of a text that are followed, the first ones."""
ROWS = 128
PLANE = 2


def key_values_of(
    query: Float[Tensor, "1 head query inner"],
    key: Float[Tensor, "1 kv_head key inner"],
    values: Values,
    rule: Rule,
    received: Float[Tensor, "head length"],
    queries: int,
) -> KeyValues | None:
    """Return the values that the first queries of one sequence receive from its strongest keys.

    `received` is the weight that every key receives; values that are the same for all queries
    have none.
    """
    if isinstance(values, Static):
        return None
    heads, length = received.shape
    chosen = received.topk(min(KEYS, length), dim=-1).indices
    needed, where = torch.unique(chosen, return_inverse=True)
    keys = torch.arange(length, device=query.device)
    every = torch.arange(heads, device=query.device)
    weights, found = list[Tensor](), list[Tensor]()
    for rows in keys[: min(queries, MOST_QUERIES)].split(ROWS):
        given, seen = rows_of(query, key, rule, rows, keys)
        at = chosen[:, None].expand(-1, len(rows), -1)
        visible = seen[None].expand(heads, -1, -1).gather(-1, at)
        weights.append(given.gather(-1, at).masked_fill(~visible, torch.nan))
        each = accurate(values.pairs(rows, needed, heads))[0]
        found.append(each[every[:, None], :, where].transpose(1, 2))
    weight = torch.cat(weights, dim=1).transpose(1, 2).double().cpu().numpy()
    value = torch.cat(found, dim=1).transpose(1, 2).double().cpu().numpy()
    return _described(chosen.cpu().numpy(), weight, value)


def _described(
    chosen: Int[np.ndarray, "head kept"],
    weight: Float[np.ndarray, "head kept query"],
    value: Float[np.ndarray, "head kept query width"],
) -> KeyValues:
    norm = np.where(np.isnan(weight), np.nan, np.linalg.norm(value, axis=-1))
    plane = np.full((*weight.shape, PLANE), np.nan)
    explained = np.full(chosen.shape, np.nan)
    for at in np.ndindex(*chosen.shape):
        plane[at], explained[at] = in_the_plane(value[at], ~np.isnan(weight[at]))
    return KeyValues(
        chosen[None], weight[None], norm[None], plane[None, ..., 0], plane[None, ..., 1],
        explained[None],
    )  # fmt: skip


def in_the_plane(
    value: Float[np.ndarray, "query width"], seen: np.ndarray
) -> tuple[Float[np.ndarray, "query 2"], float]:
    """Return values in the two directions in which they differ most, and their share of it all.

    Coordinates are those from the mean over the queries that see the key; a direction points to
    where its largest entry is positive. Queries that do not see the key are NaN.
    """
    found = np.full((len(value), PLANE), np.nan)
    few = value[seen]
    if not len(few):
        return found, np.nan
    centred = few - few.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    largest = np.abs(directions).argmax(axis=-1)[:, None]
    directions = directions * np.sign(np.take_along_axis(directions, largest, -1))
    shown = directions[:PLANE]
    found[seen] = 0.0
    found[seen, : len(shown)] = centred @ shown.T
    total = float((sizes**2).sum())
    return found, float((sizes[:PLANE] ** 2).sum() / total) if total > 0 else np.nan
