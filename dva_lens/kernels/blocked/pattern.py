"""The weights of one block of queries over the keys it can see, and what needs their scores."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from dva_lens.kernels.blocked.scores import Memory, Scorer, nowhere
from dva_lens.kernels.blocks import QueryBlock
from dva_lens.kernels.rule import Rule

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
OfBlock = Float[Tensor, "some few row seen"]
Rows = Float[Tensor, "some few row"]


@final
@dataclass(frozen=True)
class BlockPattern:
    """The weights of a block with the numbers that need its scores.

    `rest_energy` is sum p log p over the keys other than key 0, where p is not yet divided by the
    normaliser.
    """

    block: QueryBlock
    weights: OfBlock
    log_sum_exp: Rows
    entropy: Rows
    largest: Rows
    rest_energy: Rows


def patterns(
    query: Query, key: Key, rule: Rule, *, queries: slice | None = None
) -> Iterator[tuple[BlockPattern, Memory]]:
    """Go through the blocks of an attention that see any key, with memory for one product.

    The pattern and the memory of a block are overwritten by the next one. With `queries`, only
    theirs come.
    """
    scorer = Scorer(query, key, rule)
    todo = scorer.tiles()
    if queries is not None:
        todo = [part for block in todo if (part := block.within(queries)) is not None]
    memory = query.new_empty(2, max((block.pairs for block in todo), default=0))
    spare, kept = memory.unbind()
    for block in todo:
        yield block_pattern(scorer.scores(block, spare), block, rule, memory=kept), spare


def block_pattern(
    scores: OfBlock, block: QueryBlock, rule: Rule, *, memory: Memory
) -> BlockPattern:
    """Turn scores into weights in the memory given; the scores are overwritten."""
    pattern = memory[: scores.numel()].view_as(scores)
    if rule.normaliser == "sigmoid":
        return _sigmoid(scores, block, pattern)
    torch.softmax(scores, dim=-1, out=pattern)
    top, largest = scores.amax(dim=-1), pattern.amax(dim=-1)
    log_sum = top - largest.log()
    weighed = torch.mul(scores, pattern, out=scores)
    energy, rest = summed(weighed, block)
    if not _special(rule):
        return BlockPattern(block, pattern, log_sum, log_sum - energy, largest, rest)
    empty = top <= nowhere(scores.dtype) / 2
    if rule.sink is None and not empty.any():
        return BlockPattern(block, pattern, log_sum, log_sum - energy, largest, rest)
    part = BlockPattern(block, pattern, log_sum, energy, largest, rest)
    return _lessened(part, rule, empty=empty)


def _special(rule: Rule) -> bool:
    """Say whether rows may sum to less than one: a sink, or queries that see nothing."""
    return rule.sink is not None or not rule.closed or isinstance(rule.bias, Tensor)


def _sigmoid(scores: OfBlock, block: QueryBlock, pattern: OfBlock) -> BlockPattern:
    torch.sigmoid(scores, out=pattern)
    weighed = torch.mul(logsigmoid(scores), pattern, out=scores)
    energy, rest = summed(weighed, block)
    nothing = torch.full_like(energy, torch.nan)
    return BlockPattern(block, pattern, nothing, -energy, pattern.amax(dim=-1), rest)


def summed(entries: OfBlock, block: QueryBlock) -> tuple[Rows, Rows]:
    """Return the sums of rows, and those without what belongs to key 0.

    Key 0 is added last and never taken off again: nothing of the rest might be left.
    """
    if not block.holds_first:
        total = entries.sum(dim=-1)
        return total, total
    rest = entries[..., 1:].sum(dim=-1)
    return rest + entries[..., 0], rest


def _lessened(part: BlockPattern, rule: Rule, *, empty: Tensor) -> BlockPattern:
    """Give a sink its share and rows without keys nothing; `part.entropy` holds sum p s."""
    among_keys = part.log_sum_exp.masked_fill(empty, -torch.inf)
    log_sum, share = among_keys, torch.ones_like(among_keys)
    if rule.sink is not None:
        sink = rule.sink.to(log_sum.dtype)[part.block.heads][:, None]
        log_sum = torch.logaddexp(among_keys, sink)
        share = torch.exp(among_keys - log_sum)
    share = share.masked_fill(empty, 0.0)
    part.weights.mul_(share[..., None])
    return replace(
        part,
        log_sum_exp=log_sum,
        entropy=(share * (log_sum - part.entropy)).masked_fill_(empty, 0.0),
        largest=part.largest * share,
        rest_energy=part.rest_energy * share,
    )
