"""Blocks of keys that a query is routed to by what they hold on average."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, final

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from dva_lens.kernels.rule import Rule
from dva_lens.mechanisms.past_blocks import mean_past, size_of
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.texts import first_tokens, starts
from dva_lens.mechanisms.visibility import VisibleKeys

AT_ONCE = 1 << 20


@final
class RoutedKeys(VisibleKeys, frozen=True):
    """A query sees its own block and the past blocks whose mean keys answer it best.

    `block` is how many tokens a block holds, 0 for an eighth of the context; `top` is how many
    past blocks a query sees. All heads see the same: the products of all heads are added up. The
    choice has no gradient, and of blocks that score alike the earlier comes first.
    """

    formula: ClassVar[str] = (
        "B(j) = B(i), or B(j) among the top blocks by q̄_i·k̄_B, B < B(i); j ≤ i"
    )
    source: ClassVar[str] = "BiFormer, Zhu et al. 2023 (2303.08810): routing between regions"
    ours: ClassVar[str] = (
        "causal along the text: q̄_i is the mean over the queries of i's block up to i, which is "
        "the paper's at the last of them, and past blocks are whole; a query always sees its own "
        "block; queries and keys are those before rotary position; no local enhancement"
    )

    block: Annotated[int, Field(ge=0, le=1 << 24)] = 0
    top: Annotated[int, Field(ge=1, le=1 << 16)] = 2

    def within(self, shape: Shape) -> int:
        """Return how many tokens a block holds."""
        return size_of(self.block, shape)

    def keys(self, shape: Shape, length: int) -> float:
        """Return the mean over queries of what is there of their own block, and of the others."""
        size = self.within(shape)
        whole, rest = divmod(length, size)
        own = whole * size * (size + 1) / 2 + rest * (rest + 1) / 2
        few = min(whole, self.top)
        past = size * (few * (few - 1) / 2 + (whole - few) * few) + rest * few
        return (own + size * past) / length

    def choosing(self, shape: Shape, length: int) -> float:
        """Return the sums over blocks, and the products with the blocks of the past."""
        size, channels = self.within(shape), shape.kv_heads * shape.qk_dim
        return channels * (2 * mean_past(size, length) + 1) + shape.heads * shape.qk_dim

    def build(self, shape: Shape) -> nn.Module:
        """Return the module that narrows a rule."""
        return RoutedModule(self.within(shape), self.top)


@final
@dataclass(frozen=True)
class Routes:
    """A mask function: the block of every position, and the past blocks that its query sees.

    A route of -1 leads nowhere. Memory is linear in length.
    """

    block: Int[Tensor, "batch position"]
    routes: Int[Tensor, "batch position top"]

    def __call__(self, sequences: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
        """Say which of the keys the queries see, indices that broadcast."""
        theirs = self.block[sequences, keys]
        seen = self.block[sequences, queries] == theirs
        for chosen in self.routes[sequences, queries].unbind(-1):
            seen = seen | (chosen == theirs)
        return seen


@final
class RoutedModule(nn.Module):
    """Leave a query its own block and the past blocks that it is routed to."""

    def __init__(self, size: int, top: int) -> None:
        super().__init__()
        self.size, self.top = size, top

    @torch.no_grad()
    def forward(
        self,
        rule: Rule,
        query: Float[Tensor, "batch position head qk"],
        key: Float[Tensor, "batch position kv_head qk"],
    ) -> Rule:
        """Return the rule with the mask of the routes of these queries and keys."""
        text, place, block = _laid_out(rule.segments, key, self.size)
        wide = torch.promote_types(key.dtype, torch.float32)
        query = query.unflatten(2, (key.shape[2], -1)).sum(3)
        queries, keys = (
            _running(each.flatten(2).to(wide), place, self.size) for each in (query, key)
        )
        whole = place == self.size - 1
        batch = torch.arange(len(key), device=key.device)[:, None].expand_as(place)[whole]
        held = keys.new_zeros(len(key), int(block.max()) + 1, keys.shape[-1])
        held[batch, block[whole]] = keys[whole]
        text_of = torch.full(held.shape[:2], -1, device=key.device)
        text_of[batch, block[whole]] = text[whole]
        count = max(1, AT_ONCE // (len(key) * held.shape[1]))
        cut = (each.split(count, dim=1) for each in (queries, text, block))
        routes = [
            self._chosen(some, held, _past(texts, blocks, text_of))
            for some, texts, blocks in zip(*cut, strict=True)
        ]
        return replace(rule, mask=Routes(block, torch.cat(routes, dim=1)))

    def _chosen(
        self,
        queries: Float[Tensor, "batch some channel"],
        held: Float[Tensor, "batch block channel"],
        past: Bool[Tensor, "batch some block"],
    ) -> Int[Tensor, "batch some top"]:
        """Return the best of the past blocks, -1 where there are fewer."""
        scores = (queries @ held.mT).masked_fill(~past, -torch.inf)
        best, order = scores.sort(dim=-1, descending=True, stable=True)
        return order.masked_fill(best == -torch.inf, -1)[..., : self.top]


def _laid_out(
    segments: Int[Tensor, "batch position"] | None,
    key: Float[Tensor, "batch position kv_head qk"],
    size: int,
) -> tuple[Int[Tensor, "batch position"], ...]:
    """Return the text of every position, its place in its block, and its block.

    Blocks are counted over the whole sequence and begin anew with every text.
    """
    if segments is None:
        segments = torch.ones(key.shape[:2], dtype=torch.int64, device=key.device)
    first = first_tokens(segments)
    place = (torch.arange(key.shape[1], device=key.device) - starts(first)) % size
    return first.cumsum(1), place, (place == 0).cumsum(1) - 1


def _running(
    entries: Float[Tensor, "batch position channel"],
    place: Int[Tensor, "batch position"],
    size: int,
) -> Float[Tensor, "batch position channel"]:
    """Return the sum over every block up to each position.

    Each is added up in an order that its place in its block alone decides.
    """
    back = 1
    while back < min(size, entries.shape[1]):
        reached = (place >= back)[:, back:, None]
        entries = torch.cat(
            [
                entries[:, :back],
                entries[:, back:] + torch.where(reached, entries[:, :-back], 0.0),
            ],
            dim=1,
        )
        back *= 2
    return entries


def _past(
    text: Int[Tensor, "batch some"],
    block: Int[Tensor, "batch some"],
    text_of: Int[Tensor, "batch block"],
) -> Bool[Tensor, "batch some block"]:
    """Say which blocks lie whole before a query, in its own text."""
    numbers = torch.arange(text_of.shape[1], device=text_of.device)
    return (numbers < block[..., None]) & (text_of[:, None] == text[..., None])
