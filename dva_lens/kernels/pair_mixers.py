"""Blocks of values that depend on the pair: formed in the cache, used and dropped.

The sizes keep a block of (queries, keys, width) and its few companions inside the cache of a
core; nothing of that shape outlives the block.
"""

from collections.abc import Iterator, Sequence
from typing import final

import torch
from torch import Tensor

from dva_lens.kernels.blocks import Block, cuts
from dva_lens.kernels.mixers import BlockWeights, Mixed, Mixer
from dva_lens.kernels.values import PairValuesForm

PAIRS_AT_ONCE = 1 << 17


def parts(block: Block, size: int) -> Iterator[tuple[slice, slice]]:
    """Cut the keys of a block: positions among all keys, and among those of the block."""
    for cut in cuts(block.keys.stop - block.keys.start, size):
        yield slice(block.keys.start + cut.start, block.keys.start + cut.stop), cut


@final
class FormedMixer(Mixer):
    """Any pair form: its values are formed by its own definition and differentiated by torch."""

    rows = 16
    columns = 16

    def __init__(self, form: type[PairValuesForm], by_query: int) -> None:
        self.form = form
        self.by_query = by_query

    def pairs(self, operands: Sequence[Tensor]) -> int:
        """Return how many pairs of values stay in the cache, with the scores of other keys."""
        length = operands[-1].shape[2]
        return length * max(self.rows, PAIRS_AT_ONCE // (self.columns * operands[-1].shape[-1]))

    def _of(self, operands: Sequence[Tensor], block: Block, keys: slice) -> list[Tensor]:
        by_key = (block.batch, block.heads, keys)
        return [
            operand[block.by_query if place < self.by_query else by_key]
            for place, operand in enumerate(operands)
        ]

    def _values(self, operands: Sequence[Tensor]) -> Tensor:
        queries, keys = operands[0].shape[2], operands[-1].shape[2]
        device = operands[0].device
        every = torch.arange(queries, device=device), torch.arange(keys, device=device)
        return self.form(*operands).pairs(*every, operands[0].shape[1])

    def mix(
        self, weights: BlockWeights, operands: Sequence[Tensor], block: Block, out: Mixed
    ) -> None:
        """Add sum_j p_ij v_ij."""
        for keys, cut in parts(block, self.columns):
            values = self._values(self._of(operands, block, keys))
            out += torch.einsum("bhqk,bhqkd->bhqd", weights[..., cut], values)

    def pull(
        self,
        weights: BlockWeights,
        operands: Sequence[Tensor],
        block: Block,
        *,
        grad: Mixed,
        grads: Sequence[Tensor],
    ) -> BlockWeights:
        """Return g_i . v_ij and add what torch finds for the operands."""
        d_weights = torch.empty_like(weights)
        for keys, cut in parts(block, self.columns):
            with torch.enable_grad():
                leaves = [
                    each.detach().requires_grad_() for each in self._of(operands, block, keys)
                ]
                values = self._values(leaves)
            d_weights[..., cut] = torch.einsum("bhqd,bhqkd->bhqk", grad, values)
            d_values = weights[..., cut, None] * grad[..., None, :]
            found = torch.autograd.grad(values, leaves, d_values)
            for target, change in zip(self._of(grads, block, keys), found, strict=True):
                target += change
        return d_weights
