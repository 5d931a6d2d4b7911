"""Edges of plausible patterns, in full and as a measurement keeps them."""

import numpy as np

from dva_lens.results.schema import (
    EDGE_KEY,
    EDGE_REST,
    EDGE_REST_BY_KEY,
    EDGE_SHARE,
    EDGE_VISIBLE,
    EDGE_WEIGHT,
)

SINK_LAYER = 2


def fake_pattern(layer, head, sequence, length, *, sink=0):
    """Return a causal pattern; heads of one layer give half of their weight to the sink."""
    rng = np.random.default_rng([layer, head, sequence])
    scores = rng.standard_normal((length, length)) * 1.5
    scores[np.triu_indices(length, 1)] = -np.inf
    pattern = np.exp(scores - scores.max(-1, keepdims=True))
    if layer == SINK_LAYER:
        pattern[sink:, sink] = 0.0
        pattern[sink:, sink] = np.maximum(pattern[sink:].sum(-1), 1e-9)
    return pattern / pattern.sum(-1, keepdims=True)


def with_edges(data, *, sequences=2, count=16, sink=0):
    """Return a fake measurement with the edges of its first sequences."""
    layers, heads = data.sizes["layer"], data.sizes["head"]
    lengths = data["length"].values[:sequences]
    sequences, longest = len(lengths), int(lengths.max())
    shape = (layers, heads, sequences, longest)
    key = np.full((*shape, count), -1, np.int16)
    weight, share = (np.full((*shape, count), np.nan, np.float32) for _ in range(2))
    rest, by_key = (np.full(shape, np.nan, np.float32) for _ in range(2))
    for layer, head, sequence in np.ndindex(layers, heads, sequences):
        at, length = (layer, head, sequence), int(lengths[sequence])
        pattern = fake_pattern(*at, length, sink=sink)
        place = np.argsort(-pattern, axis=-1, kind="stable")[:, :count]
        kept = np.take_along_axis(pattern, place, -1)
        left = pattern.copy()
        np.put_along_axis(left, place, 0.0, -1)
        key[at][:length] = np.where(kept > 0, place, -1)
        weight[at][:length] = kept
        share[at][:length] = np.where(kept > 0, kept * np.where(place == sink, 0.1, 1.0), np.nan)
        rest[at][:length], by_key[at][:length] = left.sum(-1), left.sum(0)
    seen = np.where(np.arange(longest) < lengths[:, None], np.arange(longest) + 1, -1)
    visible = np.broadcast_to(seen, (layers, *seen.shape)).astype(np.int16)
    queries = ("layer", "head", "listed", "listed_query")
    edges = (*queries, "rank")
    found = {
        EDGE_KEY: (edges, key, "Key of the edge", "position"),
        EDGE_WEIGHT: (edges, weight, "Attention weight of the edge", "1"),
        EDGE_SHARE: (edges, share, "Signed projection share", "1"),
        EDGE_REST: (queries, rest, "Weight on keys not listed", "1"),
        EDGE_REST_BY_KEY: (("layer", "head", "listed", "listed_key"), by_key, "Not listed", "1"),
        EDGE_VISIBLE: (("layer", "listed", "listed_query"), visible, "Visible keys", "keys"),
    }
    return data.assign(
        {
            name: (dims, values, {"long_name": words, "units": units})
            for name, (dims, values, words, units) in found.items()
        }
    )


SPARSE = (0.4, 0.2, 0.1)
"""Weights of every query where patterns are too long to be drawn in full."""


def with_sparse_edges(data):
    """Return a fake measurement of one long sequence with three edges of every query."""
    layers, heads = data.sizes["layer"], data.sizes["head"]
    length = int(data["length"].values[0])
    place = np.arange(length)
    key = np.stack([0 * place, place // 2, place], axis=-1)
    shape = (layers, heads, 1, length)
    weight = np.broadcast_to(np.float32(SPARSE), (*shape, len(SPARSE)))
    rest = np.full(shape, 1 - sum(SPARSE), np.float32)
    queries = ("layer", "head", "listed", "listed_query")
    visible = np.broadcast_to(place + 1, (layers, 1, length)).astype(np.int16)
    found = {
        EDGE_KEY: ((*queries, "rank"), np.broadcast_to(key, weight.shape).astype(np.int16)),
        EDGE_WEIGHT: ((*queries, "rank"), weight),
        EDGE_SHARE: ((*queries, "rank"), weight),
        EDGE_REST: (queries, rest),
        EDGE_REST_BY_KEY: ((*queries[:-1], "listed_key"), rest),
        EDGE_VISIBLE: (("layer", "listed", "listed_query"), visible),
    }
    about = {"long_name": "Edges", "units": "1"}
    return data.assign({name: (dims, values, about) for name, (dims, values) in found.items()})
