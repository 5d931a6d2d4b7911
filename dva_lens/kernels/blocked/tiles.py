"""A pattern by level of detail: any rectangle of queries and keys, at any resolution."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from dva_lens.kernels.blocked.pattern import BlockPattern, look_at_blocks
from dva_lens.kernels.blocked.threads import Action
from dva_lens.kernels.blocks import QueryBlock, hidden
from dva_lens.kernels.guard import refuse_above
from dva_lens.kernels.inputs import check
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
PerTile = Float[Tensor, "batch head row column"]
Edges = Int[Tensor, "_"]


@final
@dataclass(frozen=True)
class PatternTiles:
    """The smallest, mean and largest weight in every tile of a rectangle of a pattern.

    Only pairs that see each other count; `seen` says how many there are, and a tile without any
    holds NaN. Tile (r, c) spans the queries from `query_edges[r]` up to `query_edges[r + 1]`,
    and keys likewise; all tiles have the same size but the last ones, which may be smaller.
    """

    lowest: PerTile
    mean: PerTile
    highest: PerTile
    seen: Int[Tensor, "batch row column"]
    query_edges: Edges
    key_edges: Edges


@final
@dataclass(frozen=True)
class _Grid:
    """Some positions in tiles of one size."""

    start: int
    stop: int
    size: int

    @classmethod
    def of(cls, wanted: slice, length: int, most: int, name: str) -> "_Grid":
        start, stop, step = wanted.indices(length)
        if step != 1 or start >= stop:
            ends = (wanted.start, wanted.stop, *([] if wanted.step is None else [wanted.step]))
            said = ":".join("" if end is None else str(end) for end in ends)
            raise ValueError(
                f"{name} must be some of {length} positions in steps of 1, such as 0:{length}, "
                f"got {said}."
            )
        if most < 1:
            raise ValueError(f"The resolution of {name} must be at least 1, got {most}.")
        return cls(start, stop, -(-(stop - start) // most))

    @property
    def tiles(self) -> int:
        return -(-(self.stop - self.start) // self.size)

    def edges(self, device: torch.device) -> Edges:
        found = torch.arange(self.start, self.stop + self.size, self.size, device=device)
        return found.clamp(max=self.stop)

    def common(self, positions: slice) -> slice:
        start = max(self.start, positions.start)
        return slice(start, max(start, min(self.stop, positions.stop)))

    def tile(self, positions: slice, device: torch.device) -> Int[Tensor, "_"]:
        """Return which tile each position is in."""
        place = torch.arange(positions.start, positions.stop, device=device)
        return (place - self.start) // self.size


@torch.no_grad()
def tiles(
    query: Query,
    key: Key,
    rule: Rule,
    *,
    queries: slice = slice(None),
    keys: slice = slice(None),
    resolution: tuple[int, int] = (64, 64),
) -> PatternTiles:
    """Return a rectangle of the pattern in at most `resolution` tiles of queries and of keys.

    Weights are those of the whole attention: normalised over every key that a query sees, inside
    the rectangle or not. The pattern is formed in blocks of the queries that are asked for, and
    as many tiles as there are positions give every weight itself.

    Raises
    ------
    ValueError
        Shapes do not fit, a slice is empty or has steps, or a resolution is below 1.
    MemoryError
        So many tiles would exceed the budget of memory.
    """
    check(query, key, Static(key), rule)
    batch, heads, length, _ = query.shape
    across = _Grid.of(queries, length, resolution[0], "queries")
    along = _Grid.of(keys, key.shape[2], resolution[1], "keys")
    refuse_above(
        batch * heads * across.tiles * along.tiles * 4 * 8,
        f"{across.tiles} x {along.tiles} tiles of {heads} heads",
        alternative="ask for a lower resolution, or for fewer heads",
    )
    wide = torch.promote_types(query.dtype, torch.float32)
    with torch.autocast(query.device.type, enabled=False):
        query, key = query.to(wide), key.to(wide)
        shape = (batch, heads, across.tiles, along.tiles)
        lowest, highest = query.new_full(shape, torch.inf), query.new_full(shape, -torch.inf)
        total, seen = (query.new_zeros(shape, dtype=torch.float64) for _ in range(2))
        wanted = slice(across.start, across.stop)

        def look(part: BlockPattern) -> Action | None:
            found = _pooled(part, rule, along)
            return None if found is None else lambda: keep(part.block, found)

        def keep(block: QueryBlock, found: tuple[Tensor, ...]) -> None:
            index = across.tile(block.queries, query.device)[:, None].expand_as(found[0])
            for kept, new, how in zip(
                (lowest, highest, total, seen), found, ("amin", "amax", "sum", "sum"), strict=True
            ):
                kept[block.batch, block.heads].scatter_reduce_(2, index, new.to(kept.dtype), how)

        look_at_blocks(query, key, rule, look, queries=wanted)
    blank = seen == 0
    return PatternTiles(
        lowest.masked_fill_(blank, torch.nan),
        (total / seen).masked_fill_(blank, torch.nan).to(wide),
        highest.masked_fill_(blank, torch.nan),
        seen[:, 0].long(),
        across.edges(query.device),
        along.edges(query.device),
    )


def _pooled(
    part: BlockPattern, rule: Rule, along: _Grid
) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
    """Return smallest, largest, sum and number of the weights of every query in tiles of keys."""
    block = part.block
    keys = along.common(block.keys)
    if keys.start >= keys.stop:
        return None
    pattern = part.weights[..., keys.start - block.keys.start : keys.stop - block.keys.start]
    unseen = hidden(rule, block, pattern.device)
    visible = torch.ones(1, 1, *pattern.shape[2:], dtype=torch.bool, device=pattern.device)
    if unseen is not None:
        visible = ~unseen[..., keys.start - block.keys.start : keys.stop - block.keys.start]
    visible = visible.expand_as(pattern)
    before, after = keys.start - along.start, along.start + along.tiles * along.size - keys.stop

    def spread(entries: Tensor, blank: float) -> Tensor:
        filled = pad(entries.masked_fill(~visible, blank), (before, after), value=blank)
        return filled.unflatten(-1, (along.tiles, along.size))

    return (
        spread(pattern, torch.inf).amin(dim=-1),
        spread(pattern, -torch.inf).amax(dim=-1),
        spread(pattern, 0.0).sum(dim=-1),
        spread(torch.ones_like(pattern), 0.0).sum(dim=-1),
    )
