"""What every variant of every axis can say about itself."""

from collections.abc import Callable
from typing import Any, ClassVar

from dva_lens.mechanisms.shape import Shape
from dva_lens.validation import Value

LinearFactory = Callable[[int, int], Any]
"""Makes a linear module, Any here because axes are read without torch, from its widths."""
LinearCost = Callable[[int, int], int]


class Variant(Value, frozen=True):
    """One choice on one axis: a frozen value with its formula, its source and its costs.

    `formula` is one line, `source` says where it was read, `ours` says what the source leaves
    open and how it was decided here (empty where nothing was).
    """

    formula: ClassVar[str]
    source: ClassVar[str]
    ours: ClassVar[str] = ""

    def check(self, shape: Shape) -> None:
        """Refuse a model that this variant cannot be a part of, with the rule and the numbers.

        Raises
        ------
        ValueError
            The variant and the sizes of the model do not go together.
        """
        del shape

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the parameters that this variant adds to a layer; `linear` counts a map."""
        del shape, layer, linear
        return 0

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return the forward operations added per token of a layer, seeing `keys` keys on average.

        A multiplication, an addition and a nonlinearity count one each.
        """
        del shape, layer, keys
        return 0.0
