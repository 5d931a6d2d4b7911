"""Attended values as they are."""

from typing import ClassVar, final

from dva_lens.mechanisms.output import Output
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearFactory


@final
class PlainOutput(Output, frozen=True):
    """Head outputs go to the output projection unchanged."""

    formula: ClassVar[str] = "o_i = Σ_j A_ij v_ij"
    source: ClassVar[str] = "Vaswani et al. 2017 (1706.03762)"

    def build(self, shape: Shape, layer: int, linear: LinearFactory) -> None:
        """Return nothing."""
        del shape, layer, linear
