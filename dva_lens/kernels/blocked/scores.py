"""The scores of one block of queries over the keys it can see, for passes without gradients.

Invisible pairs have a score that is finite and far below all others, so that a weight of zero
times its score is zero.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.blocks import (
    QueryBlock,
    blocks,
    cuts,
    hidden,
    of_any_row,
    of_block,
    penalties,
)
from dva_lens.kernels.by_distance import terms_within
from dva_lens.kernels.rule import Rule

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
OfBlock = Float[Tensor, "some few row seen"]
Memory = Float[Tensor, "entry"]

ROWS, FEWEST_ROWS = 128, 8
ENTRIES_AT_ONCE = 1 << 21
ENTRIES_OF_A_THREAD = 1 << 20


def nowhere(dtype: torch.dtype) -> float:
    """Return the score of an invisible pair."""
    return torch.finfo(dtype).min / 8


def tiles(rule: Rule, query: Query, key: Key, *, threaded: bool = False) -> Iterator[QueryBlock]:
    """Cut an attention into blocks whose scores fit in a cache; groups of heads stay whole.

    Blocks that are `threaded` are for one thread each, and so are smaller. All heads of the same
    queries come one after the other, those that see the most keys first; at once, where heads
    compose what each of them makes.
    """
    entries = ENTRIES_OF_A_THREAD if threaded else ENTRIES_AT_ONCE
    batch, heads, length, _ = query.shape
    keys = key.shape[2]
    group = heads // key.shape[1] if rule.composition is None else heads
    rows = min(length, max(FEWEST_ROWS, min(ROWS, entries // (group * keys))))
    at_once = max(1, entries // (rows * keys * heads))
    whole = [slice(0, heads)]
    for some in cuts(batch, at_once):
        found = blocks(rule, some, whole, (length, keys), rows=rows, device=query.device)
        for block in reversed(list(found)):
            groups = max(1, entries * heads // max(1, block.pairs * group))
            for few in cuts(heads, groups * group):
                yield replace(block, heads=few)


@final
class Scorer:
    """Forms the scores of blocks, and remembers the masks that blocks share."""

    def __init__(self, query: Query, key: Key, rule: Rule) -> None:
        self.query = query
        self.key = key
        self.rule = rule
        self.group = query.shape[1] // key.shape[1]
        self._masks: dict[tuple[int, int, int], Tensor | None] = {}
        self._last: tuple[QueryBlock, int, Tensor | None] | None = None

    def scores(self, block: QueryBlock, memory: Memory) -> OfBlock:
        """Return the scores of a block in the memory given; a group of heads is one product."""
        rule, q = self.rule, self.query[block.by_query]
        kv_heads = slice(block.heads.start // self.group, block.heads.stop // self.group)
        k = self.key[block.batch, kv_heads, block.keys].flatten(0, 1)
        batch, heads, rows, width = q.shape
        scores = memory[: block.pairs].view(batch, heads, rows, k.shape[1])
        folded = scores.view(len(k), self.group * rows, k.shape[1])
        q = q.reshape(len(k), self.group * rows, width)
        torch.baddbmm(folded, q, k.mT, beta=0, alpha=rule.scale, out=folded)
        if rule.softcap is not None:
            scores.div_(rule.softcap).tanh_().mul_(rule.softcap)
        elif rule.similarity != "exponential":
            scores.copy_(rule.bent(scores))
        if rule.before is not None:
            scores.copy_(rule.before.of(scores, block))
        if rule.text_blocks is not None:
            scores.copy_(rule.text_blocks.scores(scores, block))
        self._add(scores, block)
        return scores

    def _add(self, scores: OfBlock, block: QueryBlock) -> None:
        rule = self.rule
        if isinstance(rule.bias, Tensor):
            scores.add_(of_block(rule.bias, block)).clamp_(min=nowhere(scores.dtype))
        elif rule.bias != 0.0:
            scores.add_(rule.bias)
        if rule.penalty is not None:
            scores.add_(penalties(rule.penalty, block, dtype=scores.dtype, device=scores.device))
        if rule.query_terms is not None:
            scores.add_(terms_within(rule, block, dtype=scores.dtype))
        self._hide(scores, block)

    def _hide(self, scores: OfBlock, block: QueryBlock) -> None:
        if not self.rule.closed:
            first, added = self._open_mask(block)
            if added is not None:
                scores[..., first : first + added.shape[-1]].add_(added)
            return
        first = 0
        if self.rule.window is None:
            first = max(0, block.queries.start - block.keys.start)
        tail = replace(block, keys=slice(block.keys.start + first, block.keys.stop))
        mask = self._mask(tail)
        if mask is not None:
            scores[..., first:].add_(mask)

    def _open_mask(self, block: QueryBlock) -> tuple[int, Tensor | None]:
        """Return what to add to scores, and from which key of the block on.

        Keys at both ends that all queries of the block see need nothing. All heads of a block
        see the same, and come one after the other.
        """
        whole = replace(block, heads=slice(0, 1))
        if self._last is None or self._last[0] != whole:
            self._last = (whole, *self._narrow(hidden(self.rule, block, self.query.device)))
        return self._last[1:]

    def _narrow(self, unseen: Tensor | None) -> tuple[int, Tensor | None]:
        if unseen is None:
            return 0, None
        some = of_any_row(unseen.flatten(0, -2)).nonzero()
        if len(some) == 0:
            return 0, None
        first, last = int(some[0]), int(some[-1])
        return first, self._added(unseen[..., first : last + 1])

    def _added(self, unseen: Tensor) -> Tensor:
        """Return what to add to scores so that invisible pairs drop out."""
        added = torch.zeros(unseen.shape, dtype=self.query.dtype, device=unseen.device)
        return added.masked_fill_(unseen, nowhere(added.dtype))

    def _mask(self, block: QueryBlock) -> Tensor | None:
        """Return what to add to scores by the place of a block; None for nothing."""
        queries, keys = block.queries, block.keys
        place = (queries.start - keys.start, queries.stop - queries.start, keys.stop - keys.start)
        if place not in self._masks:
            unseen = hidden(self.rule, block, self.query.device)
            self._masks[place] = None if unseen is None else self._added(unseen)
        return self._masks[place]
