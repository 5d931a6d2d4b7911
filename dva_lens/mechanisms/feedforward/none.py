"""A block without a feed-forward network."""

from typing import ClassVar, final

from dva_lens.mechanisms.feedforward import Feedforward
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearFactory


@final
class NoFeedforward(Feedforward, frozen=True):
    """No feed-forward network: the block is attention alone."""

    formula: ClassVar[str] = "–"
    source: ClassVar[str] = "the abstract of DVA (2512.22212): it can be removed entirely"
    activation: ClassVar[str] = "relu"

    def inner(self, shape: Shape) -> int:
        """Return the hidden width, which is none."""
        del shape
        return 0

    def build(self, shape: Shape, linear: LinearFactory) -> None:
        """Return nothing."""
        del shape, linear
