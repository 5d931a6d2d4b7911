"""Weights of one attention of a model, for whoever wants to see them: edges, and tiles."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
import xarray as xr

from dva_lens import axes
from dva_lens.kernels.blocked.edges import top_edges as edges_of
from dva_lens.kernels.blocked.tiles import PatternTiles, tiles
from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.kept_layers import HeadsAtHand, keep_heads
from dva_lens.measuring.prepare import prepare_tokens
from dva_lens.recording.closeup import attention_and_output, of_heads
from dva_lens.recording.recorder import AttentionCall

WEIGHT = {"units": "1", "long_name": "Attention weight"}
BANDS = 8
"""Into how many parts tiles are cut for who follows their progress."""
Tell = Callable[[int, int], None]
"""What is called with how many parts of how many are done."""


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
    found = heads_at_hand(model, text_or_tokens, layer=layer, heads=heads, tokenizer=tokenizer)
    edges = edges_of(found.query, found.key, found.rule, count=count, threshold=threshold)
    every = torch.as_tensor(found.heads, device=edges.head.device)
    coordinates = {axes.HEAD: every[edges.head], axes.QUERY: edges.query, axes.KEY: edges.key}
    return xr.Dataset(
        {"weight": ("edge", edges.weight.cpu().numpy(), WEIGHT)},
        {name: ("edge", each.cpu().numpy()) for name, each in coordinates.items()},
        {"model": found.name, "layer": layer, "count": count, "threshold": threshold},
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
    sequence: int | None = None,
    tokenizer: Any = None,
    tell: Tell | None = None,
) -> xr.Dataset:
    """Return the smallest, mean and largest attention weight in tiles of one layer's pattern.

    A rectangle of queries and keys is cut into at most `resolution` tiles; only pairs that see
    each other count, and a tile without any holds NaN. No pattern is formed. `sequence` is one of
    those that a text is cut into, and `tell` is called with how many parts of how many are done.

    Returns
    -------
    xarray.Dataset
        `lowest`, `mean` and `highest` over (head, query, key), where query and key are the first
        positions of a tile, and `seen(query, key)`, how many pairs it holds. `query_stop` and
        `key_stop` say where tiles end. `token(position)` are the tokens of the whole sequence.

    Raises
    ------
    ValueError
        There is no such layer, head or sequence, or a slice is empty or has steps.
    TypeError
        The layer hands over a pattern and not its queries and keys.

    Examples
    --------
    >>> from dva_lens import load
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> text = "To be, or not to be, that is the question."
    >>> tiles = pattern_tiles(model, text, layer=1, resolution=(4, 4))
    >>> tiles["mean"].sizes["query"], tiles["mean"].sizes["key"]
    (4, 4)
    """
    found = heads_at_hand(
        model, text_or_tokens, layer=layer, heads=heads, sequence=sequence, tokenizer=tokenizer
    )
    return tiles_of(found, queries=queries, keys=keys, resolution=resolution, tell=tell)


def heads_at_hand(  # noqa: PLR0913  (which model, text and heads, and where to keep them)
    model: Any,
    text_or_tokens: Any,
    *,
    layer: int,
    heads: Sequence[int] | None = None,
    sequence: int | None = None,
    positions: Mapping[str, int] = MappingProxyType({}),
    tokenizer: Any = None,
    keep: Path | None = None,
) -> HeadsAtHand:
    """Return what heads of a layer attend with over one of the sequences that were passed.

    All heads, where none are named. `positions`, by what they are called, are those that will be
    looked at: the model does not run for one that the sequence lacks. With `keep`, all heads of
    the layer are written to this file, where their rule is plain; where that fails, a warning says
    so.

    Raises
    ------
    ValueError
        There is no such layer, head, sequence or position.
    TypeError
        The layer hands over a pattern and not its queries and keys.
    """
    found = prepare_tokens(model, text_or_tokens, InputOptions(tokenizer=tokenizer))
    count = len(found.sequences)
    if sequence is None and count != 1:
        raise ValueError(
            f"A closer look is at one sequence, got {count}; pass one text that the model has "
            f"room for."
        )
    check_place(sequence or 0, count, "sequence")
    tokens = found.sequences.tokens(sequence or 0)
    for name, place in positions.items():
        check_place(place, len(tokens), name)
    call, gram = attention_and_output(found.adapter, tokens, layer)
    every, words = range(call.query.shape[1]), found.words(sequence or 0)

    def at_hand(some: AttentionCall, listed: Sequence[int]) -> HeadsAtHand:
        return HeadsAtHand(
            name=found.adapter.name,
            layer=layer,
            heads=listed,
            words=words,
            query=some.query,
            key=some.key,
            rule=some.weights,
            values=call.values,
            gram=gram,
            among=len(every),
        )

    if keep is not None:
        try:
            keep_heads(keep, at_hand(call, every))
        except OSError as error:  # the look itself needs no file
            warnings.warn(f"Layer {layer} was not kept for another look: {error}", stacklevel=2)
    listed = every if heads is None else heads
    return at_hand(of_heads(call, listed), listed)


def check_place(place: int, count: int, name: str) -> None:
    """Refuse a place that is not one of so many.

    Raises
    ------
    ValueError
        It is not; the message calls it `name`.
    """
    if not 0 <= place < count:
        raise ValueError(f"{name} must be one of 0 to {count - 1}, got {place}.")


def tiles_of(
    found: HeadsAtHand,
    *,
    queries: slice = slice(None),
    keys: slice = slice(None),
    resolution: tuple[int, int] = (64, 64),
    tell: Tell | None = None,
) -> xr.Dataset:
    """Return the tiles of heads at hand, as `pattern_tiles` does.

    Raises
    ------
    ValueError
        A slice is empty or has steps.
    """
    cut = _cut(found, queries, keys, resolution, tell)
    dims = (axes.HEAD, axes.QUERY, axes.KEY)
    weights = {"lowest": cut.lowest, "mean": cut.mean, "highest": cut.highest}
    rows, columns = cut.query_edges.cpu().numpy(), cut.key_edges.cpu().numpy()
    return xr.Dataset(
        {
            **{name: (dims, each[0].cpu().numpy(), WEIGHT) for name, each in weights.items()},
            "seen": (dims[1:], cut.seen[0].cpu().numpy(), {"long_name": "Pairs in the tile"}),
        },
        {
            axes.HEAD: list(found.heads),
            axes.QUERY: rows[:-1],
            axes.KEY: columns[:-1],
            "query_stop": (axes.QUERY, rows[1:]),
            "key_stop": (axes.KEY, columns[1:]),
            "token": ("position", list(found.words)),
        },
        {"model": found.name, "layer": found.layer},
    )


def _cut(
    found: HeadsAtHand,
    queries: slice,
    keys: slice,
    resolution: tuple[int, int],
    tell: Tell | None,
) -> PatternTiles:
    """Return tiles, in bands of whole rows of them where somebody follows."""
    bands = [(queries, resolution[0])]
    if tell is not None:
        bands = _bands(queries, found.query.shape[2], resolution[0]) or bands
    parts = []
    for rows, most in bands:
        size = (most, resolution[1])
        parts.append(
            tiles(found.query, found.key, found.rule, queries=rows, keys=keys, resolution=size)
        )
        if tell is not None:
            tell(len(parts), len(bands))
    starts = [part.query_edges[:-1] for part in parts]
    return PatternTiles(
        torch.cat([part.lowest for part in parts], dim=2),
        torch.cat([part.mean for part in parts], dim=2),
        torch.cat([part.highest for part in parts], dim=2),
        torch.cat([part.seen for part in parts], dim=1),
        torch.cat([*starts, parts[-1].query_edges[-1:]]),
        parts[0].key_edges,
    )


def _bands(queries: slice, length: int, most: int) -> list[tuple[slice, int]]:
    """Return some positions in bands of whole tiles, and how many of these each holds.

    What is left of a tile at the end is a band of its own, so that all others have one size.
    """
    start, stop, step = queries.indices(length)
    if step != 1 or start >= stop or most < 1:
        return []
    size = -(-(stop - start) // most)
    whole = (stop - start) // size
    each = -(-whole // BANDS) or 1
    found = [
        (slice(start + size * at, start + size * min(at + each, whole)), min(each, whole - at))
        for at in range(0, whole, each)
    ]
    rest = start + size * whole
    return [*found, (slice(rest, stop), 1)] if rest < stop else found
