"""Which of the keys before it a query sees."""

from abc import abstractmethod
from typing import Any, ClassVar

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.table import VariantTable
from dva_lens.mechanisms.variant import Variant


class VisibleKeys(Variant, frozen=True):
    """A visibility leaves a query some of the keys up to its own, which is always one of them.

    What a query does not see is no part of its softmax, and no key of a recording.
    """

    called: ClassVar[str] = "visibility"

    @abstractmethod
    def keys(self, shape: Shape, length: int) -> float:
        """Return how many keys a query of a text of this length sees on average."""

    def choosing(self, shape: Shape, length: int) -> float:
        """Return the operations per token of a text of this length that the choice takes."""
        del shape, length
        return 0.0

    @abstractmethod
    def build(self, shape: Shape) -> Any:
        """Return the module that narrows a rule, or None where there is nothing to narrow."""


VISIBILITIES = VariantTable(
    VisibleKeys,
    {
        "all": ("AllKeys", "A query sees every key up to its own."),
        "window": ("WindowedKeys", "A query sees the last keys alone, its own among them."),
        "routed": (
            "RoutedKeys",
            "A query sees its own block and the past blocks whose mean keys answer it best.",
        ),
    },
)
