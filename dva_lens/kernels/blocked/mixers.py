"""What one block of weights does with the values, forwards and backwards, without autograd.

A mixer holds no numbers: `mix` adds sum_j p_ij v_ij of a block to the output, and `pull` returns
the gradient of the weights and adds to the gradients of the operands. Operands come per query
head, and the last one is as wide as the output.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import final

from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.blocks import QueryBlock

BlockWeights = Float[Tensor, "batch head query key"]
Mixed = Float[Tensor, "batch head query width"]


class Mixer(ABC):
    """How weights and operands of one value form become an output, a block at a time."""

    rows: int
    """How many queries a block holds at most."""

    @abstractmethod
    def pairs(self, operands: Sequence[Tensor]) -> int:
        """Return about how many pairs a block holds."""

    @abstractmethod
    def mix(
        self, weights: BlockWeights, operands: Sequence[Tensor], block: QueryBlock, out: Mixed
    ) -> None:
        """Add what the block contributes to the output of its queries."""

    @abstractmethod
    def pull(
        self,
        weights: BlockWeights,
        operands: Sequence[Tensor],
        block: QueryBlock,
        *,
        grad: Mixed,
        grads: Sequence[Tensor],
    ) -> BlockWeights:
        """Return the gradient of the weights and add the operands' gradients to `grads`."""


@final
class StaticMixer(Mixer):
    """One value per key: products of matrices."""

    rows = 64

    def pairs(self, operands: Sequence[Tensor]) -> int:
        """Return how many scores stay in the cache."""
        del operands
        return 1 << 18

    def mix(
        self, weights: BlockWeights, operands: Sequence[Tensor], block: QueryBlock, out: Mixed
    ) -> None:
        """Add p v."""
        out += weights @ operands[0][block.by_key]

    def pull(
        self,
        weights: BlockWeights,
        operands: Sequence[Tensor],
        block: QueryBlock,
        *,
        grad: Mixed,
        grads: Sequence[Tensor],
    ) -> BlockWeights:
        """Return g v^T and add p^T g."""
        target = grads[0][block.by_key]
        target += weights.mT @ grad
        return grad @ operands[0][block.by_key].mT
