"""Weights of one attention of a model, for whoever wants to see them: edges, and tiles."""

from collections.abc import Sequence
from typing import Any

import torch
import xarray as xr

from dva_lens import axes
from dva_lens.kernels.blocked.edges import top_edges as edges_of
from dva_lens.kernels.blocked.tiles import tiles
from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.prepare import Prepared, prepare_tokens
from dva_lens.recording.closeup import attention_call, of_heads
from dva_lens.recording.recorder import AttentionCall

WEIGHT = {"units": "1", "long_name": "Attention weight"}


def top_edges(  # noqa: PLR0913  (where to look, and how much to keep)
    model: Any,
    text_or_tokens: Any,
    *,
    layer: int,
    heads: Sequence[int] | None = None,
    count: int = 8,
    threshold: float = 0.01,
    tokenizer: Any = None,
) -> xr.Dataset:
    """Return the largest attention weights of every query of one text in one layer.

    At most `count` weights of a query are listed, those that exceed the threshold, the largest
    first. No pattern is formed: memory grows with the length of the text times `count`.

    Returns
    -------
    xarray.Dataset
        `weight(edge)` with the coordinates head, query and key of every edge.

    Examples
    --------
    >>> from dva_lens import load
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> edges = top_edges(model, "To be, or not to be, that is the question.", layer=1, count=2)
    >>> edges["weight"].dims
    ('edge',)
    >>> bool((edges["query"] >= edges["key"]).all())
    True
    """
    found, call, listed = _attention(model, text_or_tokens, layer, heads, tokenizer)
    edges = edges_of(call.query, call.key, call.weights, count=count, threshold=threshold)
    every = torch.as_tensor(listed, device=edges.head.device)
    coordinates = {axes.HEAD: every[edges.head], axes.QUERY: edges.query, axes.KEY: edges.key}
    return xr.Dataset(
        {"weight": ("edge", edges.weight.cpu().numpy(), WEIGHT)},
        {name: ("edge", each.cpu().numpy()) for name, each in coordinates.items()},
        _attrs(found, layer) | {"count": count, "threshold": threshold},
    )


def pattern_tiles(  # noqa: PLR0913  (a rectangle has two sides)
    model: Any,
    text_or_tokens: Any,
    *,
    layer: int,
    heads: Sequence[int] | None = None,
    queries: slice = slice(None),
    keys: slice = slice(None),
    resolution: tuple[int, int] = (64, 64),
    tokenizer: Any = None,
) -> xr.Dataset:
    """Return the smallest, mean and largest attention weight in tiles of one layer's pattern.

    A rectangle of queries and keys is cut into at most `resolution` tiles; only pairs that see
    each other count, and a tile without any holds NaN. No pattern is formed.

    Returns
    -------
    xarray.Dataset
        `lowest`, `mean` and `highest` over (head, query, key), where query and key are the first
        positions of a tile, and `seen(query, key)`, how many pairs it holds. `query_stop` and
        `key_stop` say where tiles end.

    Examples
    --------
    >>> from dva_lens import load
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> text = "To be, or not to be, that is the question."
    >>> tiles = pattern_tiles(model, text, layer=1, resolution=(4, 4))
    >>> tiles["mean"].sizes["query"], tiles["mean"].sizes["key"]
    (4, 4)
    """
    found, call, listed = _attention(model, text_or_tokens, layer, heads, tokenizer)
    cut = tiles(
        call.query, call.key, call.weights, queries=queries, keys=keys, resolution=resolution
    )
    dims = (axes.HEAD, axes.QUERY, axes.KEY)
    weights = {"lowest": cut.lowest, "mean": cut.mean, "highest": cut.highest}
    rows, columns = cut.query_edges.cpu().numpy(), cut.key_edges.cpu().numpy()
    return xr.Dataset(
        {
            **{name: (dims, each[0].cpu().numpy(), WEIGHT) for name, each in weights.items()},
            "seen": (dims[1:], cut.seen[0].cpu().numpy(), {"long_name": "Pairs in the tile"}),
        },
        {
            axes.HEAD: list(listed),
            axes.QUERY: rows[:-1],
            axes.KEY: columns[:-1],
            "query_stop": (axes.QUERY, rows[1:]),
            "key_stop": (axes.KEY, columns[1:]),
        },
        _attrs(found, layer),
    )


def _attention(
    model: Any, data: Any, layer: int, heads: Sequence[int] | None, tokenizer: Any
) -> tuple[Prepared, AttentionCall, Sequence[int]]:
    """Return what a layer attends with over the one sequence that was passed."""
    found = prepare_tokens(model, data, InputOptions(tokenizer=tokenizer))
    if len(found.sequences) != 1:
        raise ValueError(
            f"A closer look is at one sequence, got {len(found.sequences)}; pass one text that "
            f"the model has room for."
        )
    call = attention_call(found.adapter, found.sequences.tokens(0), layer)
    listed = range(call.query.shape[1]) if heads is None else heads
    return found, of_heads(call, listed), listed


def _attrs(found: Prepared, layer: int) -> dict[str, Any]:
    return {"model": found.adapter.name, "layer": layer}
