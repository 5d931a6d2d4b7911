"""Blocks of values chosen among experts: as many products of matrices as there are experts."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.blocked.mixers import BlockWeights, Mixed, Mixer
from dva_lens.kernels.blocked.pair_mixers import OfPair, Stripe, stripes
from dva_lens.kernels.blocks import QueryBlock

Choice = Float[Tensor, "batch head expert query key"]


def by_expert(operand: Tensor) -> Float[Tensor, "batch head expert position width"]:
    """Put the experts before the positions."""
    return operand.transpose(2, 3)


def choices(operands: Sequence[Tensor], block: QueryBlock) -> Choice:
    """Return the share of each expert in the value of each pair."""
    left, right = by_expert(operands[0][block.by_query]), by_expert(operands[1][block.by_key])
    return torch.softmax(left @ right.mT * left.shape[-1] ** -0.5, dim=2)


@final
class ExpertMixer(Mixer):
    """sum_r c_ijr v_jr: no value of a pair is ever formed."""

    rows = 64

    def pairs(self, operands: Sequence[Tensor]) -> int:
        """Return how many pairs a block spans, over all experts."""
        return max(1, (1 << 18) // operands[-1].shape[3])

    def mix(
        self, weights: BlockWeights, operands: Sequence[Tensor], block: QueryBlock, out: Mixed
    ) -> None:
        """Add sum_r (p * c_r) v_r."""
        shares = choices(operands, block).mul_(weights[:, :, None])
        out += (shares @ by_expert(operands[2][block.by_key])).sum(dim=2)

    def formed(
        self, operands: Sequence[Tensor], block: QueryBlock, out: Mixed
    ) -> Iterator[tuple[Stripe, OfPair]]:
        """Go through the values of a block; each stripe overwrites the one before."""
        for stripe in stripes(block, out, buffers=1):
            part = replace(block, keys=stripe.keys)
            shares = choices(operands, part).permute(0, 1, 4, 3, 2)
            value = operands[2][part.by_key]
            yield stripe, stripe.memory[0].copy_((shares @ value).transpose(2, 3))

    def pull(
        self,
        weights: BlockWeights,
        operands: Sequence[Tensor],
        block: QueryBlock,
        *,
        grad: Mixed,
        grads: Sequence[Tensor],
    ) -> BlockWeights:
        """Return g_i . v_ij, and add the gradients of choices and values."""
        left, right = by_expert(operands[0][block.by_query]), by_expert(operands[1][block.by_key])
        g = grad[:, :, None]
        shares = choices(operands, block)
        gain = g @ by_expert(operands[2][block.by_key]).mT
        d_weights = (shares * gain).sum(dim=2)
        shares *= weights[:, :, None]
        by_expert(grads[2][block.by_key]).add_(shares.mT @ g)
        slope = gain.sub_(d_weights[:, :, None]).mul_(shares).mul_(left.shape[-1] ** -0.5)
        by_expert(grads[0][block.by_query]).add_(slope @ right)
        by_expert(grads[1][block.by_key]).add_(slope.mT @ left)
        return d_weights
