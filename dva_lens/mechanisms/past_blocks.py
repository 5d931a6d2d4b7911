"""Whole blocks of texts: their queries and keys, and the vectors that stand for them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from dva_lens.kernels.rule import Rule
from dva_lens.kernels.text_blocks import TextBlocks
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.texts import first_tokens, starts

Heads = Float[Tensor, "batch position any_head qk"]
Query = Float[Tensor, "batch position head qk"]
Key = Float[Tensor, "batch position kv_head qk"]
Held = Float[Tensor, "batch block place any_head qk"]
Standing = Float[Tensor, "batch block any_head qk"]
PARTS = 8


def size_of(block: int, shape: Shape) -> int:
    """Return how many tokens a block holds: `block`, or an eighth of the context for 0."""
    return block or max(1, shape.context // PARTS)


def mean_past(size: int, length: int) -> float:
    """Return how many whole blocks lie before a query of a text on average."""
    whole, rest = divmod(length, size)
    return (size * whole * (whole - 1) / 2 + rest * whole) / length


def length_of(keys: float) -> int:
    """Return how long a text is whose queries, which see all before them, see so many keys."""
    return round(2 * keys - 1)


@final
@dataclass(frozen=True)
class PlacedHeads:
    """Queries and keys, before and after positions turn them, and what turns them if anything."""

    query: Query
    key: Key
    turned_query: Query
    turned_key: Key
    rotation: Callable[[Tensor], Tensor] | None

    def in_full(self) -> "PlacedHeads":
        """Return them in float32 or wider."""
        wide = torch.promote_types(self.key.dtype, torch.float32)
        names = ("query", "key", "turned_query", "turned_key")
        return replace(self, **{name: getattr(self, name).to(wide) for name in names})


@final
@dataclass(frozen=True)
class WholeBlocks:
    """The whole blocks of every sequence, counted over it; they begin anew with every text.

    `last` is where each ends, -1 where a sequence has fewer than another; `place` is where in its
    block every position stands, and `number` is its block, `count` for what is left of a text.
    """

    size: int
    last: Int[Tensor, "batch block"]
    place: Int[Tensor, "batch position"]
    number: Int[Tensor, "batch position"]

    @classmethod
    def of(
        cls, segments: Int[Tensor, "batch position"] | None, like: Heads, size: int
    ) -> "WholeBlocks":
        """Return the whole blocks of sequences."""
        batch, length = like.shape[:2]
        position = torch.arange(length, device=like.device)
        if segments is None:
            segments = torch.ones_like(position)[None]
        start = starts(first_tokens(segments))
        place = (position - start) % size
        ends = place == size - 1
        count, order = int(ends.sum(dim=1).max()), ends.cumsum(dim=1) - 1
        last = torch.full((len(segments), count + 1), -1, device=like.device)
        last.scatter_(1, order.masked_fill(~ends, count), position.expand_as(order))
        end = position - place + size - 1
        inside = end.clamp(max=length - 1)
        whole = (end == inside) & (start.gather(1, inside) == start)
        number = torch.where(whole, order.gather(1, inside), count)
        parts = (each.expand(batch, -1) for each in (last[:, :count], place, number))
        return cls(size, *parts)

    @property
    def count(self) -> int:
        """How many whole blocks the sequence with the most of them has."""
        return self.last.shape[1]

    @property
    def first(self) -> list[int]:
        """For every block, the first position that any sequence has behind it."""
        length = self.number.shape[1]
        ends = self.last.masked_fill(self.last < 0, length - 1)
        return (ends.amin(dim=0) + 1).tolist()

    def held(self, heads: Heads) -> Held:
        """Return queries or keys by block."""
        back = torch.arange(1 - self.size, 1, device=heads.device)
        return self._at((self.last[..., None] + back).clamp(min=0).flatten(1), heads).unflatten(
            1, (self.count, self.size)
        )

    def turned_keys(self, heads: PlacedHeads) -> Held:
        """Return keys by block as positions turn them, each for all query heads that read it."""
        group = heads.query.shape[2] // heads.key.shape[2]
        return self.held(heads.turned_key).repeat_interleave(group, dim=3)

    def standing(self, vectors: Standing, rotation: Callable[[Tensor], Tensor] | None) -> Standing:
        """Return vectors of blocks as positions turn them, each at the last of its block."""
        if rotation is None:
            return vectors
        everywhere = self._at(self.number.clamp(max=self.count - 1), vectors)
        return self._at(self.last.clamp(min=0), rotation(everywhere))

    def by_key(
        self, entries: Float[Tensor, "batch head block place"]
    ) -> Float[Tensor, "batch head position"]:
        """Return what blocks hold for each of their places by position, 0 outside of them."""
        outside = self.number == self.count
        index = (self.number * self.size + self.place).masked_fill(outside, 0)
        found = entries.flatten(2).gather(2, index[:, None].expand(-1, entries.shape[1], -1))
        return found.masked_fill(outside[:, None], 0.0)

    def none_weighed(self, rule: Rule, query: Query) -> Rule:
        """Return the rule for texts without a whole block: one of blocks all the same."""
        return self.weighed(rule, query.new_zeros(len(query), query.shape[2], query.shape[1], 0))

    def weighed(
        self,
        rule: Rule,
        terms: Float[Tensor, "batch head position block"],
        keys: Float[Tensor, "batch head position"] | None = None,
    ) -> Rule:
        """Return the rule with terms for whole blocks; what is left of a text has none."""
        return replace(rule, text_blocks=TextBlocks(self.number, pad(terms, (0, 1)), keys))

    def _at(self, index: Int[Tensor, "batch some"], entries: Tensor) -> Tensor:
        """Return entries of each sequence by their index along its second dimension."""
        sequences = torch.arange(len(index), device=index.device)[:, None]
        return entries[sequences, index]


def gates(
    query: Query, standing: Float[Tensor, "batch block kv_head qk"], scale: float
) -> Float[Tensor, "batch head position block"]:
    """Return the scores of queries with the vectors that stand for blocks."""
    standing = standing.repeat_interleave(query.shape[2] // standing.shape[2], dim=2)
    return scale * torch.einsum("bnhd,bkhd->bhnk", query, standing)
