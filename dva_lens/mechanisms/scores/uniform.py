"""No scores at all: what a query receives is the mean over the keys that it sees."""

from typing import ClassVar, final

from dva_lens.mechanisms.scores import Read, Scores
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, LinearFactory


@final
class UniformScores(Scores, frozen=True):
    """All scores are zero: the mean over the visible keys.

    Queries and keys are vectors of zeros, so that everything that reads an attention reads this
    one. Every statistic of its weights is its reference.
    """

    formula: ClassVar[str] = "q_i = k_j = 0, so under softmax A_ij = 1 / |visible keys of i|"
    source: ClassVar[str] = "average attention, Zhang et al. 2018 (1805.00631), eq. 1"
    ours: ClassVar[str] = "the mean alone, with several heads and without their gate"

    reads: ClassVar[Read] = "nothing"
    trained: ClassVar[bool] = False

    def weights(self, shape: Shape, heads: int, linear: LinearCost) -> int:
        """Return none: there is nothing to weigh."""
        del shape, heads, linear
        return 0

    def build(self, shape: Shape, heads: int, linear: LinearFactory) -> None:
        """Return nothing."""
        del shape, heads, linear
