"""Scores that are random, the same for every text, and never trained."""

from typing import ClassVar, final

from torch import nn

from dva_lens.mechanisms.scores import Read, Scores
from dva_lens.mechanisms.scores.position_table import PositionTable
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, LinearFactory


@final
class RandomFixed(Scores, frozen=True):
    """Every position has a random query and a random key that are not trained.

    Each layer and head has its own, drawn from the seed; they stand in checkpoints. Positions
    count from the start of a sequence, so that packing moves them.
    """

    formula: ClassVar[str] = "q_i = Q[i], k_j = K[j], random of length sqrt(d_qk), held fixed"
    source: ClassVar[str] = (
        "Synthesizer, fixed random, Tay et al. 2020 (2005.00743); idea of RndEmbQK, Xue et al. "
        "2025 (2510.11602), eq. 9"
    )
    ours: ClassVar[str] = (
        "vectors are drawn for each layer (in 2510.11602 random embeddings pass through the "
        "trained layers), and their length gives scores a deviation of about one"
    )

    reads: ClassVar[Read] = "positions"
    trained: ClassVar[bool] = False

    def weights(self, shape: Shape, heads: int, linear: LinearCost) -> int:
        """Return none: nothing is trained."""
        del shape, heads, linear
        return 0

    def build(self, shape: Shape, heads: int, linear: LinearFactory) -> nn.Module:
        """Return the table."""
        del linear
        return PositionTable(shape, heads, trained=False)
