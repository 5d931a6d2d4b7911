"""The weights of one block of queries over the keys it can see, and what is read off them.

Nothing here is differentiated. Invisible pairs have a score that is finite and far below all
others, so that a weight of zero times its score is zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

from dva_lens.kernels.blocks import Block, blocks, cuts, hidden, of_block
from dva_lens.kernels.weights import Weights

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
OfBlock = Float[Tensor, "some few row seen"]
Rows = Float[Tensor, "some few row"]
RowKeys = Int[Tensor, "some few row"]

CHUNK = 64
ROWS, FEWEST_ROWS = 128, 8
ENTRIES_AT_ONCE = 1 << 18


def nowhere(dtype: torch.dtype) -> float:
    """Return the score of an invisible pair."""
    return torch.finfo(dtype).min / 8


def tiles(weights: Weights, query: Query, group: int) -> Iterator[Block]:
    """Cut an attention into blocks whose scores fit in the cache; groups of heads stay whole."""
    batch, heads, length, _ = query.shape
    rows = min(length, max(FEWEST_ROWS, min(ROWS, ENTRIES_AT_ONCE // (group * length))))
    groups = max(1, ENTRIES_AT_ONCE // (rows * length * group))
    together = max(1, groups * group // heads)
    for some in cuts(batch, together):
        for few in cuts(heads, min(groups, heads // group) * group):
            yield from blocks(weights, some, few, length, rows=rows)


@final
@dataclass(frozen=True)
class BlockPattern:
    """The weights of a block with the numbers that need its scores."""

    block: Block
    weights: OfBlock
    log_sum_exp: Rows
    entropy: Rows
    largest: Rows
    largest_key: RowKeys


def patterns(
    query: Query, key: Key, weights: Weights
) -> Iterator[tuple[BlockPattern, Float[Tensor, "entry"]]]:
    """Go through the blocks of an attention that see any key, with memory for one product.

    The pattern and the memory of a block are overwritten by the next one.
    """
    group = query.shape[1] // key.shape[1]
    todo = [block for block in tiles(weights, query, group) if block.clear]
    memory = query.new_empty(2, max((block.pairs for block in todo), default=0))
    for block in todo:
        scores = block_scores(query, key, block, weights, memory=memory[0])
        yield block_pattern(scores, block, weights, memory=memory[1]), memory[0]


def block_scores(
    query: Query, key: Key, block: Block, weights: Weights, *, memory: Float[Tensor, "entry"]
) -> OfBlock:
    """Return the scores of a block in the memory given; groups of heads share one product."""
    q, group = query[block.by_query], query.shape[1] // key.shape[1]
    kv_heads = slice(block.heads.start // group, block.heads.stop // group)
    k = key[block.batch, kv_heads, block.keys]
    batch, heads, rows, width = q.shape
    shape = (batch, heads, rows, k.shape[2])
    scores = memory[: shape[0] * shape[1] * shape[2] * shape[3]].view(shape)
    torch.bmm(
        (q * weights.scale).reshape(-1, group * rows, width),
        k.flatten(0, 1).mT,
        out=scores.view(-1, group * rows, shape[-1]),
    )
    if weights.softcap is not None:
        scores.div_(weights.softcap).tanh_().mul_(weights.softcap)
    if isinstance(weights.bias, Tensor):
        scores += of_block(weights.bias, block)
        scores.clamp_(min=nowhere(scores.dtype))
    elif weights.bias != 0.0:
        scores += weights.bias
    _hide(scores, block, weights)
    return scores


def _hide(scores: OfBlock, block: Block, weights: Weights) -> None:
    """Put the invisible pairs far below all others; only the tail of a causal block has any."""
    first = 0
    if weights.segments is None and weights.window is None:
        first = max(0, block.queries.start - block.keys.start)
        block = Block(
            block.batch,
            block.heads,
            block.queries,
            slice(block.keys.start + first, block.keys.stop),
        )
    unseen = hidden(weights, block, scores.device)
    if unseen is not None:
        scores[..., first:].masked_fill_(unseen, nowhere(scores.dtype))


def block_pattern(
    scores: OfBlock, block: Block, weights: Weights, *, memory: Float[Tensor, "entry"]
) -> BlockPattern:
    """Turn scores into weights in the memory given; the scores are spent on the way."""
    pattern = memory[: scores.numel()].view_as(scores)
    if weights.normaliser == "sigmoid":
        torch.sigmoid(scores, out=pattern)
    else:
        torch.softmax(scores, dim=-1, out=pattern)
    largest, place = largest_entries(pattern)
    top = scores.gather(-1, place[..., None])[..., 0]
    empty = top <= nowhere(scores.dtype) / 2
    key = (place + block.keys.start).masked_fill_(empty, -1)
    if weights.normaliser == "sigmoid":
        entropy = -torch.mul(logsigmoid(scores), pattern, out=scores).sum(dim=-1)
        return BlockPattern(
            block, pattern, torch.full_like(entropy, torch.nan), entropy, largest, key
        )
    log_sum = (top - largest.log()).masked_fill_(empty, -torch.inf)
    energy = torch.mul(scores, pattern, out=scores).sum(dim=-1)
    if weights.sink is None and not _may_be_empty(weights):
        return BlockPattern(block, pattern, log_sum, log_sum - energy, largest, key)
    return _lessened(
        BlockPattern(block, pattern, log_sum, energy, largest, key), weights, empty=empty
    )


def _may_be_empty(weights: Weights) -> bool:
    return weights.segments is not None or isinstance(weights.bias, Tensor)


def _lessened(part: BlockPattern, weights: Weights, *, empty: Tensor) -> BlockPattern:
    """Give a sink its share and rows without keys nothing; `part.entropy` holds sum p s."""
    log_sum = part.log_sum_exp
    if weights.sink is not None:
        sink = weights.sink.to(log_sum.dtype)[part.block.heads][:, None]
        log_sum = torch.logaddexp(log_sum, sink)
    share = torch.exp(part.log_sum_exp - log_sum).masked_fill_(empty, 0.0)
    entropy = (share * (log_sum - part.entropy)).masked_fill_(empty, 0.0)
    part.weights.mul_(share[..., None])
    return BlockPattern(
        part.block, part.weights, log_sum, entropy, part.largest * share, part.largest_key
    )


def largest_entries(pattern: OfBlock) -> tuple[Rows, RowKeys]:
    """Return the largest entry of each row and its place: chunks first, then inside the best."""
    keys = pattern.shape[-1]
    if keys < 2 * CHUNK:
        return pattern.max(dim=-1)
    even = keys - keys % CHUNK
    chunks = pattern[..., :even].unflatten(-1, (-1, CHUNK))
    best = chunks.amax(dim=-1).argmax(dim=-1)
    index = best[..., None, None].expand(*best.shape, 1, CHUNK)
    largest, place = chunks.gather(-2, index)[..., 0, :].max(dim=-1)
    place += best * CHUNK
    if even == keys:
        return largest, place
    rest, where = pattern[..., even:].max(dim=-1)
    return torch.maximum(largest, rest), torch.where(rest > largest, where + even, place)
