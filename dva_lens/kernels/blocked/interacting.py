"""Blocks of values that are a key's own and, beside it, a nonlinear sum of query and key."""

from collections.abc import Sequence
from typing import final

from torch import Tensor

from dva_lens.kernels.blocked.mixers import BlockWeights, Mixed
from dva_lens.kernels.blocked.pair_mixers import OfPair, PairMixer, PairwiseMixer, key_side
from dva_lens.kernels.blocks import QueryBlock


@final
class InteractingMixer(PairMixer):
    """v_j + phi(a_i + b_j): the sum over v_j is a product of matrices, the rest is pairwise."""

    def __init__(self) -> None:
        self.pairwise = PairwiseMixer()

    def form(
        self, operands: Sequence[Tensor], block: QueryBlock, keys: slice, out: OfPair
    ) -> OfPair:
        """Fill `out` with v_j + phi(a_i + b_j)."""
        self.pairwise.form(operands, block, keys, out)
        return out.add_(key_side(operands[2], block, keys))

    def mix(
        self, weights: BlockWeights, operands: Sequence[Tensor], block: QueryBlock, out: Mixed
    ) -> None:
        """Add p v, and sum_j p_ij phi(a_i + b_j)."""
        self.pairwise.mix(weights, operands, block, out)
        out += weights @ operands[2][block.by_key]

    def pull(
        self,
        weights: BlockWeights,
        operands: Sequence[Tensor],
        block: QueryBlock,
        *,
        grad: Mixed,
        grads: Sequence[Tensor],
    ) -> BlockWeights:
        """Return g_i . v_ij, and add the gradients of both parts and of the values."""
        d_weights = self.pairwise.pull(weights, operands, block, grad=grad, grads=grads)
        grads[2][block.by_key].add_(weights.mT @ grad)
        return d_weights.add_(grad @ operands[2][block.by_key].mT)
