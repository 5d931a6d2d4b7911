"""The stream of the block before, as it is."""

from typing import ClassVar, final

from dva_lens.mechanisms.depth_average import DepthAverage
from dva_lens.mechanisms.shape import Shape


@final
class NoAverage(DepthAverage, frozen=True):
    """Each block reads the output of the previous block alone."""

    formula: ClassVar[str] = "Y_i = X_i"
    source: ClassVar[str] = "Vaswani et al. 2017 (1706.03762)"

    def build(self, shape: Shape, layer: int) -> None:
        """Return nothing."""
        del shape, layer
