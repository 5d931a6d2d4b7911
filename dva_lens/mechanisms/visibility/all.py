"""The visibility of every decoder: the whole text up to the query."""

from typing import ClassVar, final

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.visibility import VisibleKeys


@final
class AllKeys(VisibleKeys, frozen=True):
    """A query sees every key up to its own."""

    formula: ClassVar[str] = "j ≤ i"
    source: ClassVar[str] = "Vaswani et al. 2017 (1706.03762)"

    def keys(self, shape: Shape, length: int) -> float:
        """Return half the text, the query's own key included."""
        del shape
        return (length + 1) / 2

    def build(self, shape: Shape) -> None:
        """Return None: a rule is causal as it is."""
        del shape
