"""How the weight of a linear map is parametrised."""

from abc import abstractmethod
from typing import Any, ClassVar

from dva_lens.mechanisms.table import VariantTable
from dva_lens.mechanisms.variant import Variant


class Projection(Variant, frozen=True):
    """A projection makes every linear map of every block."""

    called: ClassVar[str] = "projection"

    @abstractmethod
    def weights(self, inner: int, outer: int, *, bias: bool) -> int:
        """Return the parameters of one map."""

    @abstractmethod
    def build(self, inner: int, outer: int, *, bias: bool) -> Any:
        """Return the module of one map, which has a `weight` (outer, inner) and a `bias`."""


PROJECTIONS = VariantTable(
    Projection,
    {
        "plain": ("PlainProjection", "The weight is the parameter."),
        "sigma-reparam": (
            "SigmaReparam",
            "The weight is divided by its largest singular value and scaled by a learned number.",
        ),
    },
)
