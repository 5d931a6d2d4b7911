"""How an attention is cut: blocks of queries with the keys that any of them can see."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dva_lens.kernels.rule import Rule


@final
@dataclass(frozen=True)
class QueryBlock:
    """Some sequences, heads and queries, and the range of keys that they can see."""

    batch: slice
    heads: slice
    queries: slice
    keys: slice

    @property
    def by_query(self) -> tuple[slice, slice, slice]:
        """Index of what belongs to the queries of the block."""
        return self.batch, self.heads, self.queries

    @property
    def by_key(self) -> tuple[slice, slice, slice]:
        """Index of what belongs to the keys of the block, per query head."""
        return self.batch, self.heads, self.keys

    @property
    def pairs(self) -> int:
        """Number of pairs over the sequences and heads of the block."""
        return math.prod(
            each.stop - each.start for each in (self.batch, self.heads, self.queries, self.keys)
        )

    @property
    def clear(self) -> bool:
        """Whether the block sees any key at all."""
        return self.keys.start < self.keys.stop

    def from_last(self, positions: Float[Tensor, "position"], part: slice) -> Tensor:
        """Return positions counted from the last query of the block, so that few digits cancel."""
        return positions[part] - (self.queries.stop - 1)

    def within(self, queries: slice) -> "QueryBlock | None":
        """Return the part of the block that holds some of these queries, if there is one."""
        start = max(self.queries.start, queries.start)
        stop = min(self.queries.stop, queries.stop)
        return replace(self, queries=slice(start, stop)) if start < stop else None


def cuts(length: int, size: int) -> list[slice]:
    """Cut a length into consecutive slices of at most `size`."""
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def key_range(rule: Rule, batch: slice, queries: slice, length: int) -> slice:
    """Return the shortest range that holds every key the queries can see."""
    start, stop = 0, queries.stop if rule.causal else length
    if rule.window is not None:
        start = max(start, queries.start - rule.window + 1)
        stop = min(stop, queries.stop + rule.window - 1)
    if rule.segments is None:
        return slice(start, stop)
    return _narrowed(rule.segments[batch], queries, slice(start, stop))


def _narrowed(segments: Int[Tensor, "batch position"], queries: slice, keys: slice) -> slice:
    mine = segments[:, queries]
    low = torch.where(mine > 0, mine, torch.iinfo(mine.dtype).max).amin(dim=1, keepdim=True)
    high = mine.amax(dim=1, keepdim=True)
    theirs = segments[:, keys]
    wanted = ((theirs >= low) & (theirs <= high)).any(dim=0).nonzero()
    if len(wanted) == 0:
        return slice(keys.start, keys.start)
    return slice(keys.start + int(wanted[0]), keys.start + int(wanted[-1]) + 1)


def blocks(
    rule: Rule, batch: slice, heads: slice, length: int, *, rows: int
) -> Iterator[QueryBlock]:
    """Go through the queries of some sequences and heads; blocks that see no key come too."""
    for queries in cuts(length, rows):
        yield QueryBlock(batch, heads, queries, key_range(rule, batch, queries, length))


def hidden(
    rule: Rule, block: QueryBlock, device: torch.device
) -> Bool[Tensor, "#batch 1 query key"] | None:
    """Say which pairs of the block are invisible, or None where all of them are visible."""
    queries, keys = block.queries, block.keys
    causal = rule.causal and keys.stop - 1 > queries.start
    apart = max(queries.stop - 1 - keys.start, keys.stop - 1 - queries.start)
    windowed = rule.window is not None and apart >= rule.window
    if not causal and not windowed and rule.segments is None:
        return None
    i = torch.arange(queries.start, queries.stop, device=device)
    j = torch.arange(keys.start, keys.stop, device=device)
    segments = None if rule.segments is None else rule.segments[block.batch]
    return ~_restricted(rule, segments).visible(i, j)


def _restricted(rule: Rule, segments: Tensor | None) -> Rule:
    return Rule(scale=rule.scale, causal=rule.causal, window=rule.window, segments=segments)


def of_block(
    bias: Float[Tensor, "#batch #head #query #key"], block: QueryBlock
) -> Float[Tensor, "#some #few #row #seen"]:
    """Return the part of a broadcasting bias that a block needs."""
    index = (block.batch, block.heads, block.queries, block.keys)
    return bias[
        tuple(
            slice(None) if size == 1 else chosen
            for size, chosen in zip(bias.shape, index, strict=True)
        )
    ]
