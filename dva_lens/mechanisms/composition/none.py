"""Heads that know nothing of each other."""

from typing import ClassVar, final

from dva_lens.mechanisms.composition import HeadComposition
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearFactory


@final
class NoComposition(HeadComposition, frozen=True):
    """Every head attends by itself."""

    formula: ClassVar[str] = "a'_ij = a_ij"
    source: ClassVar[str] = "Vaswani et al. 2017 (1706.03762)"
    composes: ClassVar[bool] = False

    def build(self, shape: Shape, linear: LinearFactory) -> None:
        """Return nothing."""
        del shape, linear
