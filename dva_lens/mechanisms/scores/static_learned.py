"""Scores that are learned and the same for every text."""

from typing import ClassVar, final

from torch import nn

from dva_lens.mechanisms.scores import Read, Scores
from dva_lens.mechanisms.scores.position_table import PositionTable
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, LinearFactory


@final
class StaticLearned(Scores, frozen=True):
    """Every position has a learned query and a learned key, whatever the text is.

    The scores of a head are a matrix of rank d_qk that is never formed. Rotary positions turn the
    vectors as they turn any others. Positions count from the start of a sequence, so that packing
    moves them.
    """

    formula: ClassVar[str] = "q_i = Q[i], k_j = K[j]"
    source: ClassVar[str] = "Synthesizer, factorised random, Tay et al. 2020 (2005.00743)"
    ours: ClassVar[str] = "rank d_qk, the scale 1/sqrt(d_qk), and a start near zero"

    reads: ClassVar[Read] = "positions"

    def weights(self, shape: Shape, heads: int, linear: LinearCost) -> int:
        """Return the table."""
        del linear
        return shape.context * heads * shape.qk_dim

    def build(self, shape: Shape, heads: int, linear: LinearFactory) -> nn.Module:
        """Return the table."""
        del linear
        return PositionTable(shape, heads, trained=True)
