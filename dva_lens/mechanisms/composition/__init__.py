"""What the heads of a layer make of each other's scores and weights before values are mixed."""

from abc import abstractmethod
from typing import Any, ClassVar

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.table import VariantTable
from dva_lens.mechanisms.variant import LinearFactory, Variant


class HeadComposition(Variant, frozen=True):
    """A composition maps, for every pair of query and key, what all heads think of the pair.

    It maps scores ahead of the rule, or weights behind it, or both. What multiplies values, and
    what is recorded, are the weights that come of it, some of which may be negative.
    """

    called: ClassVar[str] = "composition"

    pairing: ClassVar[str] = ""
    """What the maps depend on: whether each pair chooses the heads that deliver its value."""

    composes: ClassVar[bool] = True
    """Whether heads look at each other at all."""

    def kept(self, shape: Shape) -> int:
        """Return the numbers that generation keeps of each token for its part as a key."""
        del shape
        return 0

    @abstractmethod
    def build(self, shape: Shape, linear: LinearFactory) -> Any:
        """Return the module that puts the maps into a rule, or None where there are none."""


COMPOSITIONS = VariantTable(
    HeadComposition,
    {
        "none": ("NoComposition", "Every head attends by itself."),
        "talking-heads": (
            "TalkingHeads",
            "Scores and weights pass through learned maps over heads, the same for all pairs.",
        ),
        "dynamic": (
            "DynamicComposition",
            "Maps over heads are made of the query's and the key's token, for each pair.",
        ),
    },
)
