"""Blocks of values that depend on the pair: formed in the cache, used and dropped.

The sizes keep a block of (queries, keys, width) and its few companions inside the cache of the
cores; nothing of that shape outlives the block, and nothing of it is saved for the backward pass.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.blocked.mixers import BlockWeights, Mixed, Mixer
from dva_lens.kernels.blocks import QueryBlock, cuts
from dva_lens.kernels.nonlinearity import phi_in_place, phi_slope_in_place

ENTRIES_AT_ONCE = 1 << 19
ROWS = 16
COLUMNS = 16

OfQuery = Float[Tensor, "batch head query 1 width"]
OfKey = Float[Tensor, "batch head 1 key width"]
OfPair = Float[Tensor, "batch head query key width"]


@final
@dataclass(frozen=True)
class Stripe:
    """Some keys of a block, and memory for what its pairs need.

    `keys` are their positions among all keys, `cut` their positions among those of the block.
    """

    keys: slice
    cut: slice
    memory: tuple[OfPair, ...]


def pairs_at_once(operands: Sequence[Tensor]) -> int:
    """Return how many pairs a block spans so that a stripe of its keys fits in the cache."""
    length, width = operands[-1].shape[2], operands[-1].shape[-1]
    return length * max(ROWS, ENTRIES_AT_ONCE // (COLUMNS * width))


def stripes(block: QueryBlock, out: Mixed, *, buffers: int) -> Iterator[Stripe]:
    """Cut the keys of a block into stripes that share a few buffers."""
    start, count = block.keys.start, block.keys.stop - block.keys.start
    columns = min(count, max(COLUMNS, ENTRIES_AT_ONCE // out.numel()))
    memory = out.new_empty(buffers, out.numel() * columns)
    for cut in cuts(count, max(1, columns)):
        shape = (*out.shape[:-1], cut.stop - cut.start, out.shape[-1])
        entries = out.numel() * shape[-2]
        yield Stripe(
            slice(start + cut.start, start + cut.stop),
            cut,
            tuple(row[:entries].view(shape) for row in memory),
        )


def query_side(operand: Tensor, block: QueryBlock) -> OfQuery:
    """Return what belongs to the queries of a block, ready to meet its keys."""
    return operand[block.by_query][..., None, :]


def key_side(operand: Tensor, block: QueryBlock, keys: slice) -> OfKey:
    """Return what belongs to some keys, ready to meet the queries of a block."""
    return operand[block.batch, block.heads, None, keys]


class PairMixer(Mixer):
    """What the forms that fill a (queries, keys, width) block share."""

    rows = ROWS

    def pairs(self, operands: Sequence[Tensor]) -> int:
        """Return how many pairs a block spans."""
        return pairs_at_once(operands)

    @abstractmethod
    def form(
        self, operands: Sequence[Tensor], block: QueryBlock, keys: slice, out: OfPair
    ) -> OfPair:
        """Fill `out` with the values of the block's queries and some keys."""

    def formed(
        self, operands: Sequence[Tensor], block: QueryBlock, out: Mixed
    ) -> Iterator[tuple[Stripe, OfPair]]:
        """Go through the values of a block; each stripe overwrites the one before."""
        for stripe in stripes(block, out, buffers=1):
            yield stripe, self.form(operands, block, stripe.keys, stripe.memory[0])

    def mix(
        self, weights: BlockWeights, operands: Sequence[Tensor], block: QueryBlock, out: Mixed
    ) -> None:
        """Add sum_j p_ij v_ij."""
        total = out.new_zeros(out.shape[:-1].numel(), 1, out.shape[-1])
        for stripe, value in self.formed(operands, block, out):
            p = weights[..., stripe.cut].reshape(len(total), 1, -1)
            total.baddbmm_(p, value.flatten(0, 2))
        out += total.view_as(out)


@final
class PairwiseMixer(PairMixer):
    """phi(a_i + b_j): the backward pass forms the value and its slope once more."""

    def form(
        self, operands: Sequence[Tensor], block: QueryBlock, keys: slice, out: OfPair
    ) -> OfPair:
        """Fill `out` with phi(a_i + b_j)."""
        a, b = query_side(operands[0], block), key_side(operands[1], block, keys)
        return phi_in_place(torch.add(a, b, out=out))

    def pull(
        self,
        weights: BlockWeights,
        operands: Sequence[Tensor],
        block: QueryBlock,
        *,
        grad: Mixed,
        grads: Sequence[Tensor],
    ) -> BlockWeights:
        """Return g_i . v_ij, and add the slopes weighted by p_ij g_i."""
        a, g = query_side(operands[0], block), grad[..., None, :]
        d_weights, d_a = torch.empty_like(weights), torch.zeros_like(grad)
        for stripe in stripes(block, grad, buffers=2):
            hidden, value = stripe.memory
            torch.add(a, key_side(operands[1], block, stripe.keys), out=hidden)
            torch.mul(phi_in_place(value.copy_(hidden)), g, out=value)
            d_weights[..., stripe.cut] = value.sum(dim=-1)
            torch.mul(weights[..., stripe.cut, None], g, out=value)
            slope = phi_slope_in_place(value, hidden)
            d_a += slope.sum(dim=3)
            grads[1][block.batch, block.heads, stripe.keys].add_(slope.sum(dim=2))
        grads[0][block.by_query].add_(d_a)
        return d_weights


@final
class PairGatedMixer(PairMixer):
    """2 sigmoid(l_i * r_j) * v_j."""

    def form(
        self, operands: Sequence[Tensor], block: QueryBlock, keys: slice, out: OfPair
    ) -> OfPair:
        """Fill `out` with 2 sigmoid(l_i * r_j) * v_j."""
        left = query_side(operands[0], block)
        right, value = (key_side(each, block, keys) for each in operands[1:])
        return torch.mul(left, right, out=out).sigmoid_().mul_(2 * value)

    def pull(
        self,
        weights: BlockWeights,
        operands: Sequence[Tensor],
        block: QueryBlock,
        *,
        grad: Mixed,
        grads: Sequence[Tensor],
    ) -> BlockWeights:
        """Return g_i . v_ij, and add the gradients of gates and values."""
        left, g = query_side(operands[0], block), 2 * grad[..., None, :]
        d_weights, d_left = torch.empty_like(weights), torch.zeros_like(grad)
        for stripe in stripes(block, grad, buffers=3):
            right, value = (key_side(each, block, stripe.keys) for each in operands[1:])
            gate, pull, slope = stripe.memory
            p = weights[..., stripe.cut, None]
            torch.mul(left, right, out=gate).sigmoid_()
            torch.mul(gate, g, out=pull)
            torch.mul(pull, value, out=slope)
            d_weights[..., stripe.cut] = slope.sum(dim=-1)
            grads[2][block.batch, block.heads, stripe.keys].add_(pull.mul_(p).sum(dim=2))
            slope.mul_(p).mul_(gate.neg_().add_(1.0))
            d_left += torch.mul(slope, right, out=gate).sum(dim=3)
            grads[1][block.batch, block.heads, stripe.keys].add_(slope.mul_(left).sum(dim=2))
        grads[0][block.by_query].add_(d_left)
        return d_weights
