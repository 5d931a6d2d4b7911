"""Blocks of values that depend on the pair: formed in the cache, used and dropped.

The sizes keep a block of (queries, keys, width) and its few companions inside the cache of the
cores; nothing of that shape outlives the block, and nothing of it is saved for the way back.
"""

from collections.abc import Iterator, Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.blocks import Block, cuts
from dva_lens.kernels.mixers import BlockWeights, Mixed, Mixer
from dva_lens.kernels.values import phi, phi_backward

ENTRIES_AT_ONCE = 1 << 17
ROWS = 16
COLUMNS = 16

OfQuery = Float[Tensor, "batch head query 1 width"]
OfKey = Float[Tensor, "batch head 1 key width"]
OfPair = Float[Tensor, "batch head query key width"]


def pairs_at_once(operands: Sequence[Tensor]) -> int:
    """Return how many pairs a block spans so that a stripe of its keys fits in the cache."""
    length, width = operands[-1].shape[2], operands[-1].shape[-1]
    return length * max(ROWS, ENTRIES_AT_ONCE // (COLUMNS * width))


def stripes(block: Block, out: Mixed) -> Iterator[tuple[slice, slice]]:
    """Cut the keys of a block: positions among all keys, and among those of the block."""
    start = block.keys.start
    for cut in cuts(block.keys.stop - start, max(COLUMNS, ENTRIES_AT_ONCE // out.numel())):
        yield slice(start + cut.start, start + cut.stop), cut


def query_side(operand: Tensor, block: Block) -> OfQuery:
    """Return what belongs to the queries of a block, ready to meet its keys."""
    return operand[block.by_query][..., None, :]


def key_side(operand: Tensor, block: Block, keys: slice) -> OfKey:
    """Return what belongs to some keys, ready to meet the queries of a block."""
    return operand[block.batch, block.heads, None, keys]


class PairMixer(Mixer):
    """What the forms that fill a (queries, keys, width) block share."""

    rows = ROWS

    def pairs(self, operands: Sequence[Tensor]) -> int:
        """Return how many pairs a block spans."""
        return pairs_at_once(operands)


@final
class PairwiseMixer(PairMixer):
    """phi(a_i + b_j): on the way back the value and its slope are formed once more."""

    def mix(
        self, weights: BlockWeights, operands: Sequence[Tensor], block: Block, out: Mixed
    ) -> None:
        """Add sum_j p_ij phi(a_i + b_j)."""
        a = query_side(operands[0], block)
        total = out.new_zeros(out.shape[:-1].numel(), 1, out.shape[-1])
        for keys, cut in stripes(block, out):
            value = phi(a + key_side(operands[1], block, keys))
            p = weights[..., cut].reshape(len(total), 1, -1)
            total.baddbmm_(p, value.flatten(0, 2))
        out += total.view_as(out)

    def pull(
        self,
        weights: BlockWeights,
        operands: Sequence[Tensor],
        block: Block,
        *,
        grad: Mixed,
        grads: Sequence[Tensor],
    ) -> BlockWeights:
        """Return g_i . v_ij, and add the slopes weighted by p_ij g_i."""
        a, g = query_side(operands[0], block), grad[..., None, :]
        d_weights, d_a = torch.empty_like(weights), torch.zeros_like(grad)
        for keys, cut in stripes(block, grad):
            hidden = a + key_side(operands[1], block, keys)
            value = phi(hidden)
            d_weights[..., cut] = value.mul_(g).sum(dim=-1)
            pushed = torch.mul(weights[..., cut, None], g, out=value)
            slope = phi_backward(pushed, hidden)
            d_a += slope.sum(dim=3)
            grads[1][block.batch, block.heads, keys].add_(slope.sum(dim=2))
        grads[0][block.by_query].add_(d_a)
        return d_weights


@final
class PairGatedMixer(PairMixer):
    """2 sigmoid(l_i * r_j) * v_j."""

    def mix(
        self, weights: BlockWeights, operands: Sequence[Tensor], block: Block, out: Mixed
    ) -> None:
        """Add sum_j 2 p_ij sigmoid(l_i * r_j) * v_j."""
        left = query_side(operands[0], block)
        total = out.new_zeros(out.shape[:-1].numel(), 1, out.shape[-1])
        for keys, cut in stripes(block, out):
            value = (left * key_side(operands[1], block, keys)).sigmoid_()
            value *= key_side(operands[2], block, keys)
            p = weights[..., cut].reshape(len(total), 1, -1)
            total.baddbmm_(p, value.flatten(0, 2), alpha=2)
        out += total.view_as(out)

    def pull(
        self,
        weights: BlockWeights,
        operands: Sequence[Tensor],
        block: Block,
        *,
        grad: Mixed,
        grads: Sequence[Tensor],
    ) -> BlockWeights:
        """Return g_i . v_ij, and add the gradients of gates and values."""
        left, g = query_side(operands[0], block), 2 * grad[..., None, :]
        d_weights, d_left = torch.empty_like(weights), torch.zeros_like(grad)
        for keys, cut in stripes(block, grad):
            right, value = (key_side(each, block, keys) for each in operands[1:])
            gate = (left * right).sigmoid_()
            pull = gate * g
            slope = pull * value
            d_weights[..., cut] = slope.sum(dim=-1)
            p = weights[..., cut, None]
            grads[2][block.batch, block.heads, keys].add_(pull.mul_(p).sum(dim=2))
            slope.mul_(p).mul_(gate.neg_().add_(1.0))
            d_left += torch.mul(slope, right, out=gate).sum(dim=3)
            grads[1][block.batch, block.heads, keys].add_(slope.mul_(left).sum(dim=2))
        grads[0][block.by_query].add_(d_left)
        return d_weights
