"""Attention with gradients in memory linear in length: blocks, recomputed in the backward pass."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from dva_lens.kernels.blocked.mixers import Mixer
from dva_lens.kernels.blocks import QueryBlock, blocks, cuts, hidden, of_block, penalties
from dva_lens.kernels.by_distance import spread_terms, terms_within
from dva_lens.kernels.rule import Rule, similarity_slope, visible_keys

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch head key width"]
Rows = Float[Tensor, "batch head query"]
BlockScores = Float[Tensor, "some few row seen"]
BlockRows = Float[Tensor, "some few row"]

FEWEST_ROWS = 8
ON_GPU = {"rows": 8, "pairs": 64}
"""How many times larger blocks are on a GPU, where starting a kernel costs more than room."""


def tiles(rule: Rule, query: Query, key: Key, *, rows: int, pairs: int) -> Iterator[QueryBlock]:
    """Cut an attention into blocks of at most `rows` queries and about `pairs` scores.

    These numbers suit the cache of a CPU.
    """
    if query.device.type != "cpu":
        rows, pairs = rows * ON_GPU["rows"], pairs * ON_GPU["pairs"]
    batch, heads, length, _ = query.shape
    keys = key.shape[2]
    rows = max(FEWEST_ROWS, min(rows, length, pairs // keys))
    at_once = max(1, pairs // (rows * keys))
    heads_at_once = min(heads, at_once)
    batch_at_once = max(1, at_once // heads)
    few = cuts(heads, heads_at_once)
    for some in cuts(batch, batch_at_once):
        size = (length, keys)
        yield from blocks(rule, some, few, size, rows=rows, device=query.device)


def block_scores(
    query: Query, key: Key, block: QueryBlock, rule: Rule
) -> tuple[BlockScores, BlockScores | None]:
    """Return the scores of a block, and what the backward pass needs where they are bent.

    That is tanh of the capped products, or the products whose similarity is no exponential.
    """
    products = query[block.by_query] @ key[block.by_key].mT
    scores, bent = _bent(products.mul_(rule.scale), rule)
    if rule.text_blocks is not None:
        scores = rule.text_blocks.scores(scores, block)
    if isinstance(rule.bias, Tensor):
        scores += of_block(rule.bias, block)
    elif rule.bias != 0.0:
        scores += rule.bias
    if rule.penalty is not None:
        scores += penalties(rule.penalty, block, dtype=scores.dtype, device=scores.device)
    if rule.query_terms is not None:
        scores += terms_within(rule, block, dtype=scores.dtype)
    unseen = hidden(rule, block, query.device)
    if unseen is not None:
        scores.masked_fill_(unseen, -torch.inf)
    return scores, bent


def _bent(products: BlockScores, rule: Rule) -> tuple[BlockScores, BlockScores | None]:
    """Return scaled products as the normaliser is to see them, and what their slope needs."""
    if rule.softcap is not None:
        bent = products.div_(rule.softcap).tanh_()
        return bent * rule.softcap, bent
    if rule.similarity != "exponential":
        return rule.bent(products), products
    return products, None


def normaliser(
    scores: BlockScores, sink: Float[Tensor, "head"] | None, block: QueryBlock
) -> BlockRows:
    """Return log-sum-exp of each row, its sink included."""
    found = torch.logsumexp(scores, dim=-1)
    if sink is None:
        return found
    return torch.logaddexp(found, sink[block.heads][:, None])


def normalised(scores: BlockScores, log_sum_exp: BlockRows) -> BlockScores:
    """Turn scores into softmax weights in place; rows that see nothing become zero."""
    safe = log_sum_exp.masked_fill(log_sum_exp == -torch.inf, 0.0)
    return scores.sub_(safe[..., None]).exp_()


def rectified(scores: BlockScores) -> tuple[BlockScores, BlockRows]:
    """Turn scores into relu weights in place; return the logarithm of what divides them too."""
    keys = visible_keys(scores)
    return scores.relu_().div_(keys), keys[..., 0].log_()


def factors(
    block: QueryBlock, rule: Rule, like: BlockScores
) -> Float[Tensor, "few row seen"] | None:
    """Return what distance multiplies the weights of a block by; None for nothing."""
    if rule.fade is None:
        return None
    return penalties(rule.fade, block, dtype=like.dtype, device=like.device).exp_()


@final
@dataclass(frozen=True)
class _Saved:
    """What the backward pass needs, and the gradients it fills."""

    rule: Rule
    query: Query
    key: Key
    log_sum_exp: Rows
    inner: Rows
    d_query: Query
    d_key: Key
    d_bias: Float[Tensor, "#batch #head #query #key"] | None
    d_terms: tuple[Tensor, Tensor] | None
    d_blocks: tuple[Tensor, Tensor | None] | None

    def pattern(self, block: QueryBlock) -> tuple[BlockScores, BlockScores | None]:
        scores, bent = block_scores(self.query, self.key, block, self.rule)
        if self.rule.normaliser == "sigmoid":
            return scores.sigmoid_(), bent
        if self.rule.normaliser == "relu":
            return rectified(scores)[0], bent
        return normalised(scores, self.log_sum_exp[block.by_query]), bent

    def pull(
        self,
        mixer: Mixer,
        operands: Sequence[Tensor],
        grad: Float[Tensor, "batch head query value_width"],
        grad_mass: Rows,
        *,
        into: Sequence[Tensor],
    ) -> None:
        """Recompute each block and push the gradients of outputs and row masses through it."""
        pairs = mixer.pairs(operands)
        for block in tiles(self.rule, self.query, self.key, rows=mixer.rows, pairs=pairs):
            pattern, bent = self.pattern(block)
            faded = factors(block, self.rule, pattern)
            weights = pattern if faded is None else pattern * faded
            d_pattern = mixer.pull(weights, operands, block, grad=grad[block.by_query], grads=into)
            d_pattern += grad_mass[block.by_query][..., None]
            if faded is not None:
                d_pattern *= faded
            self.push(block, pattern, bent, d_pattern)

    def push(
        self,
        block: QueryBlock,
        pattern: BlockScores,
        bent: BlockScores | None,
        grad: BlockScores,
    ) -> None:
        """Carry the gradient of a block's weights to scores, queries and keys."""
        if self.rule.normaliser == "sigmoid":
            grad = grad.mul_(pattern).mul_(1 - pattern)
        elif self.rule.normaliser == "relu":
            grad = grad.mul_(pattern > 0).div_(self.log_sum_exp[block.by_query].exp()[..., None])
        else:
            grad = grad.sub_(self.inner[block.by_query][..., None]).mul_(pattern)
        if self.d_bias is not None:
            target = of_block(self.d_bias, block)
            target += grad.sum_to_size(target.shape)
        if self.d_terms is not None:
            spread_terms(grad, block, *self.d_terms)
        if self.rule.text_blocks is not None and self.d_blocks is not None:
            grad = self.rule.text_blocks.spread(grad, block, *self.d_blocks)
        if bent is not None:
            capped = self.rule.softcap is not None
            grad *= 1 - bent.square() if capped else similarity_slope(bent, self.rule.similarity)
        grad *= self.rule.scale
        self.d_query[block.by_query] += grad @ self.key[block.by_key]
        self.d_key[block.by_key] += grad.mT @ self.query[block.by_query]


def _zeros(like: Query, shapes: tuple[torch.Size | None, torch.Size | None]) -> Any:
    """Return memory for the gradients of two tensors, of which the second may be absent."""
    if shapes[0] is None:
        return None
    return tuple(None if each is None else like.new_zeros(each) for each in shapes)


class BlockedAttention(torch.autograd.Function):
    """Scores, weights and values of one block at a time, forwards and backwards.

    Every tensor comes per query head, in the dtype to compute in.
    """

    @staticmethod
    def forward(  # noqa: PLR0913  (what autograd differentiates has to be an argument)
        ctx: Any,
        rule: Rule,
        mixer: Mixer,
        query: Query,
        key: Key,
        sink: Float[Tensor, "head"] | None,
        bias: Float[Tensor, "#batch #head #query #key"] | None,
        query_terms: Float[Tensor, "batch head query distance"] | None,
        key_terms: Float[Tensor, "batch head key distance"] | None,
        block_terms: Float[Tensor, "batch head query block"] | None,
        block_keys: Float[Tensor, "batch head key"] | None,
        *operands: Tensor,
    ) -> tuple[Float[Tensor, "batch head query value_width"], Rows]:
        """Return the output and the row masses."""
        out = query.new_zeros(*query.shape[:-1], operands[-1].shape[-1])
        row_mass, log_sum_exp = (query.new_zeros(query.shape[:-1]) for _ in range(2))
        for block in tiles(rule, query, key, rows=mixer.rows, pairs=mixer.pairs(operands)):
            scores, _ = block_scores(query, key, block, rule)
            if rule.normaliser == "softmax":
                log_sum_exp[block.by_query] = normaliser(scores, sink, block)
                pattern = normalised(scores, log_sum_exp[block.by_query])
            elif rule.normaliser == "relu":
                pattern, log_sum_exp[block.by_query] = rectified(scores)
            else:
                pattern = scores.sigmoid_()
            faded = factors(block, rule, pattern)
            if faded is not None:
                pattern *= faded
            row_mass[block.by_query] = pattern.sum(dim=-1)
            mixer.mix(pattern, operands, block, out[block.by_query])
        ctx.rule, ctx.mixer = rule, mixer
        ctx.terms, ctx.blocks = (
            tuple(None if each is None else each.shape for each in pair)
            for pair in ((query_terms, key_terms), (block_terms, block_keys))
        )
        ctx.save_for_backward(query, key, sink, bias, out, row_mass, log_sum_exp, *operands)
        return out, row_mass

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]  (torch knows how many gradients there are)
        ctx: Any, grad: Float[Tensor, "batch head query value_width"], grad_mass: Rows
    ) -> tuple[Tensor | None, ...]:
        """Return the gradients, in full precision whatever autocast says."""
        query, key, sink, bias, out, row_mass, log_sum_exp, *operands = ctx.saved_tensors
        d_operands = [torch.zeros_like(each) for each in operands]
        saved = _Saved(
            rule=ctx.rule,
            query=query,
            key=key,
            log_sum_exp=log_sum_exp,
            inner=(grad * out).sum(dim=-1) + grad_mass * row_mass,
            d_query=torch.zeros_like(query),
            d_key=torch.zeros_like(key),
            d_bias=torch.zeros_like(bias) if ctx.needs_input_grad[5] else None,
            d_terms=_zeros(query, ctx.terms),
            d_blocks=_zeros(query, ctx.blocks),
        )
        with torch.autocast(query.device.type, enabled=False):
            saved.pull(ctx.mixer, operands, grad, grad_mass, into=d_operands)
        d_sink = None
        if sink is not None:
            share = torch.exp(sink[:, None] - log_sum_exp)
            d_sink = -(share * saved.inner).sum(dim=(0, 2))
        of_scores = saved.d_query, saved.d_key, d_sink, saved.d_bias
        of_terms = *(saved.d_terms or (None, None)), *(saved.d_blocks or (None, None))
        return None, None, *of_scores, *of_terms, *d_operands


def blocked_attention(
    query: Query, key: Key, operands: Sequence[Tensor], rule: Rule, *, mixer: Mixer
) -> tuple[Float[Tensor, "batch head query value_width"], Rows]:
    """Return the mixed values and the row masses; differentiable in every tensor."""
    bias = rule.bias if isinstance(rule.bias, Tensor) else None
    blocks = rule.text_blocks
    of_blocks = (None, None) if blocks is None else (blocks.terms, blocks.keys)
    terms = rule.query_terms, rule.key_terms, *of_blocks
    return BlockedAttention.apply(rule, mixer, query, key, rule.sink, bias, *terms, *operands)
