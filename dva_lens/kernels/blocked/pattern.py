"""The weights of one block of queries over the keys it can see, and what needs their scores."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from dva_lens.kernels.blocked.scores import Memory, Scorer, nowhere, tiles
from dva_lens.kernels.blocked.threads import Action, Turns, share
from dva_lens.kernels.blocks import QueryBlock, hidden, penalties
from dva_lens.kernels.composition import HeadMaps
from dva_lens.kernels.decay import Decay
from dva_lens.kernels.rule import Rule, visible_keys

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
OfBlock = Float[Tensor, "some few row seen"]
Rows = Float[Tensor, "some few row"]


@final
@dataclass(frozen=True)
class BlockPattern:
    """The weights of a block, and what they were made of; scores are memory for who needs some.

    Per row: the largest weight; log-sum-exp of the scores, a sink included, or 0 where the row
    sees nothing; and what the weights come to as a share of that sum. Under sigmoid and relu, only
    the first of them. Where weights fade with distance, `scores` hold the logarithm of the factor
    too, and under sigmoid that of the weight, as they always do under relu. Where heads compose
    their weights, `weights` and the largest are what comes of it, and all else is a head's own.
    """

    block: QueryBlock
    weights: OfBlock
    scores: OfBlock
    largest: Rows
    log_sum_exp: Rows
    share: Rows


Look = Callable[[BlockPattern], Action | None]


def look_at_blocks(
    query: Query,
    key: Key,
    rule: Rule,
    look: Look,
    *,
    queries: slice | None = None,
    alone: bool = False,
) -> None:
    """Look at the blocks of an attention that see any key.

    The pattern and the scores of a block are overwritten by the next one. Threads take turns at
    the blocks, unless `look` has to be `alone`; what it returns is done in the order of the
    blocks, so that sums over blocks do not depend on which thread was first. With `queries`, only
    blocks of theirs come.
    """
    threaded = not alone and query.device.type == "cpu"
    todo = [each for each in tiles(rule, query, key, threaded=threaded) if each.clear]
    if queries is not None:
        todo = [part for block in todo if (part := block.within(queries)) is not None]
    largest = max((block.pairs for block in todo), default=0)

    def work(turns: Turns[QueryBlock]) -> None:
        scorer = Scorer(query, key, rule)
        spare, kept = query.new_empty(2, largest).unbind()
        for place, block in turns:
            scores = scorer.scores(block, spare)
            turns.end(place, look(block_pattern(scores, block, rule, memory=kept)))

    share(todo, work, threads=torch.get_num_threads() if threaded else 1)


def block_pattern(
    scores: OfBlock, block: QueryBlock, rule: Rule, *, memory: Memory
) -> BlockPattern:
    """Turn scores into weights in the memory given, and compose those of all heads."""
    part = _of_heads(scores, block, rule, memory=memory)
    return part if rule.after is None else _composed(part, rule, rule.after)


def _composed(part: BlockPattern, rule: Rule, maps: HeadMaps) -> BlockPattern:
    """Let all heads compose their weights; the largest is one of a key that is seen, if any is."""
    weights = part.weights.copy_(maps.of(part.weights, part.block))
    unseen = hidden(rule, part.block, weights.device)
    if unseen is None:
        return replace(part, largest=weights.amax(dim=-1))
    largest = weights.masked_fill(unseen, -torch.inf).amax(dim=-1)
    return replace(part, largest=largest.masked_fill(largest == -torch.inf, 0.0))


def _of_heads(scores: OfBlock, block: QueryBlock, rule: Rule, *, memory: Memory) -> BlockPattern:
    """Turn the scores of each head into its weights in the memory given."""
    weights = memory[: scores.numel()].view_as(scores)
    if rule.normaliser == "sigmoid":
        largest = torch.sigmoid(scores, out=weights).amax(dim=-1)
        nothing = scores.new_full((), torch.nan).expand_as(largest)
        part = BlockPattern(block, weights, scores, largest, nothing, nothing)
        if rule.fade is None:
            return part
        scores.copy_(logsigmoid(scores))
        return _faded(part, rule.fade)
    if rule.normaliser == "relu":
        torch.div(scores, visible_keys(scores), out=weights).relu_()
        scores.copy_(weights).clamp_(min=torch.finfo(scores.dtype).tiny).log_()
        largest = weights.amax(dim=-1)
        nothing = scores.new_full((), torch.nan).expand_as(largest)
        part = BlockPattern(block, weights, scores, largest, nothing, nothing)
        return part if rule.fade is None else _faded(part, rule.fade)
    torch.softmax(scores, dim=-1, out=weights)
    top, largest = scores.amax(dim=-1), weights.amax(dim=-1)
    log_sum, one = top - largest.log(), top.new_ones(()).expand_as(top)
    part = BlockPattern(block, weights, scores, largest, log_sum, one)
    part = _lessened(part, rule, top) if rule.may_sum_to_less else part
    return part if rule.fade is None else _faded(part, rule.fade)


def _lessened(part: BlockPattern, rule: Rule, top: Rows) -> BlockPattern:
    """Give a sink its share and rows without keys nothing."""
    empty = top <= nowhere(top.dtype) / 2
    if rule.sink is None and not empty.any():
        return part
    log_sum, share = part.log_sum_exp, part.share
    if rule.sink is not None:
        sink = rule.sink.to(top.dtype)[part.block.heads][:, None]
        log_sum = torch.logaddexp(log_sum, sink)
        share = torch.exp(part.log_sum_exp - log_sum)
    share, log_sum = share.masked_fill(empty, 0.0), log_sum.masked_fill(empty, 0.0)
    part.weights.mul_(share[..., None])
    return replace(part, largest=part.largest * share, log_sum_exp=log_sum, share=share)


def _faded(part: BlockPattern, fade: Decay) -> BlockPattern:
    """Multiply weights by their factors, and add the logarithms of the factors to scores."""
    scores = part.scores
    factors = penalties(fade, part.block, dtype=scores.dtype, device=scores.device)
    scores.add_(factors)
    part.weights.mul_(factors.exp_())
    largest, total = part.weights.amax(dim=-1), part.weights.sum(dim=-1)
    return replace(part, largest=largest, share=total)
