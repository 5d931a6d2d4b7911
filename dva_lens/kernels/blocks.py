"""How an attention is cut: blocks of queries with the keys that any of them can see."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from dva_lens.kernels.decay import Decay
from dva_lens.kernels.visibility import Visibility


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

    @property
    def holds_first(self) -> bool:
        """Whether key 0 is among the keys of the block."""
        return self.keys.start == 0

    def rest_from_last(self, positions: Float[Tensor, "position"]) -> Float[Tensor, "seen"]:
        """Return the places of the keys of the block, and 0 for key 0.

        They are counted from the last query of the block, so that few digits cancel.
        """
        found = positions[self.keys] - (self.queries.stop - 1)
        if self.holds_first:
            found[0] = 0.0
        return found

    def within(self, queries: slice) -> "QueryBlock | None":
        """Return the part of the block that holds some of these queries, if there is one."""
        start = max(self.queries.start, queries.start)
        stop = min(self.queries.stop, queries.stop)
        return replace(self, queries=slice(start, stop)) if start < stop else None


def cuts(length: int, size: int) -> list[slice]:
    """Cut a length into consecutive slices of at most `size`."""
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def key_range(visibility: Visibility, batch: slice, queries: slice, keys: int) -> slice:
    """Return a range that holds every key the queries can see, whatever a mask hides of it.

    `keys` is how many there are. Causality and windows give it in closed form, and segments
    narrow it.
    """
    start, stop = 0, queries.stop if visibility.causal else keys
    if visibility.window is not None:
        start = max(start, queries.start - visibility.window + 1)
        stop = min(stop, queries.stop + visibility.window - 1)
    held = slice(start, stop)
    if visibility.segments is not None:
        held = _narrowed(visibility.segments[batch], queries, held)
    return held


def _narrowed(segments: Int[Tensor, "batch position"], queries: slice, keys: slice) -> slice:
    mine = segments[:, queries]
    low = torch.where(mine > 0, mine, torch.iinfo(mine.dtype).max).amin(dim=1, keepdim=True)
    high = mine.amax(dim=1, keepdim=True)
    theirs = segments[:, keys]
    return _from_first_to_last(of_any_row((theirs >= low) & (theirs <= high)), keys.start)


def _unmasked(visibility: Visibility, block: QueryBlock, device: torch.device) -> slice:
    """Return the keys of a block from the first to the last that its mask does not hide."""
    seen = _seen(visibility, block, device).flatten(0, 2)
    return _from_first_to_last(of_any_row(seen), block.keys.start)


def of_any_row(pairs: Bool[Tensor, "row key"]) -> Shaped[Tensor, "key"]:
    """Return 1 for every key that any row holds, many times faster than any() over rows."""
    return pairs.view(torch.uint8).amax(dim=0)


def _from_first_to_last(wanted: Shaped[Tensor, "key"], start: int) -> slice:
    """Return the shortest range that holds all keys that are not 0; `start` is the first asked."""
    found = wanted.nonzero()
    if len(found) == 0:
        return slice(start, start)
    return slice(start + int(found[0]), start + int(found[-1]) + 1)


def blocks(
    visibility: Visibility,
    batch: slice,
    heads: Sequence[slice],
    size: tuple[int, int],
    *,
    rows: int,
    device: torch.device,
) -> Iterator[QueryBlock]:
    """Go through the queries of some sequences, for one group of heads after the other.

    `size` is how many queries and how many keys there are.
    Blocks that see no key come too. A mask function narrows the range of keys to the shortest; it
    is asked about a block's queries and all keys in that range at once, and once for all heads,
    which then come one after the other.
    """
    found = []
    for queries in cuts(size[0], rows):
        keys = key_range(visibility, batch, queries, size[1])
        block = QueryBlock(batch, heads[0], queries, keys)
        if visibility.mask is not None:
            block = replace(block, keys=_unmasked(visibility, block, device))
        found.append(block)
    if visibility.mask is None:
        found = [replace(block, heads=few) for few in heads for block in found]
    else:
        found = [replace(block, heads=few) for block in found for few in heads]
    yield from found


def hidden(
    visibility: Visibility, block: QueryBlock, device: torch.device
) -> Bool[Tensor, "#batch 1 query key"] | None:
    """Say which pairs of the block are invisible, or None where all of them are visible."""
    queries, keys = block.queries, block.keys
    causal = visibility.causal and keys.stop - 1 > queries.start
    gap = max(queries.stop - 1 - keys.start, keys.stop - 1 - queries.start)
    windowed = visibility.window is not None and gap >= visibility.window
    if not causal and not windowed and visibility.closed:
        return None
    return ~_seen(visibility, block, device)


def _seen(
    visibility: Visibility, block: QueryBlock, device: torch.device
) -> Bool[Tensor, "#batch 1 query key"]:
    sequences = None
    if not visibility.closed:
        sequences = torch.arange(block.batch.start, block.batch.stop, device=device)
    i, j = (
        torch.arange(part.start, part.stop, device=device) for part in (block.queries, block.keys)
    )
    return visibility.visible(i, j, sequences)


def counts(
    visibility: Visibility,
    length: int,
    *,
    batch: int,
    device: torch.device,
    keys: int | None = None,
    among: Sequence[QueryBlock] | None = None,
) -> tuple[Int[Tensor, "batch query"], Int[Tensor, "batch key"]]:
    """Return the keys that each query sees and the queries that see each key.

    `keys` is how many keys there are; default: as many as queries. `among` are blocks, of one
    group of heads, that hold every visible pair; where they are known, a mask is asked about no
    others.
    """
    if not visibility.closed or keys not in (None, length):
        size = (length, keys or length)
        if among is None:
            among = tuple(_uncut(visibility, size, batch))
        return _counted(visibility, size, batch, device, among)
    back = torch.arange(1, length + 1, device=device)  # a query itself and what comes before
    if visibility.window is not None:
        back = back.clamp(max=visibility.window)
    ahead = back.flip(0)
    if visibility.causal:
        visible, viewers = back, ahead
    else:
        visible = viewers = back + ahead - 1
    return visible.expand(batch, -1), viewers.expand(batch, -1)


def _uncut(visibility: Visibility, size: tuple[int, int], batch: int) -> Iterator[QueryBlock]:
    """Go through all queries, with the keys that closed forms leave them."""
    rows = max(1, (1 << 20) // (batch * size[1]))
    whole = slice(0, batch)
    for queries in cuts(size[0], rows):
        keys = key_range(visibility, whole, queries, size[1])
        yield QueryBlock(whole, slice(0, 1), queries, keys)


def _counted(
    visibility: Visibility,
    size: tuple[int, int],
    batch: int,
    device: torch.device,
    among: Sequence[QueryBlock],
) -> tuple[Int[Tensor, "batch query"], Int[Tensor, "batch key"]]:
    visible, viewers = (
        torch.zeros(batch, each, dtype=torch.int64, device=device) for each in size
    )
    for block in among:
        if block.clear:
            seen = _seen(visibility, block, device)[:, 0]
            visible[block.batch, block.queries] = seen.sum(dim=-1, dtype=torch.int32).long()
            viewers[block.batch, block.keys] += seen.sum(dim=-2, dtype=torch.int32)
    return visible, viewers


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


def penalties(
    decay: Decay, block: QueryBlock, *, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "some row seen"]:
    """Return what distance takes from the pairs of a block."""
    some = replace(decay, rates=decay.rates[block.heads])
    queries, keys = (
        torch.arange(part.start, part.stop, device=device) for part in (block.queries, block.keys)
    )
    return some.between(queries, keys, dtype=dtype)
