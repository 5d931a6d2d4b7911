"""How the weight of a linear map is parametrised, and what may stand in its place."""

from abc import abstractmethod
from typing import Any, ClassVar

from dva_lens.mechanisms.table import VariantTable
from dva_lens.mechanisms.variant import Variant


class Projection(Variant, frozen=True):
    """A projection makes every linear map of every block."""

    called: ClassVar[str] = "projection"

    is_matrix: ClassVar[bool] = True
    """Whether a map is a matrix, which its module then has as a `weight`."""

    @property
    def of_output(self) -> "Projection":
        """Return what makes the output projection of attention, which is a matrix in any case."""
        return self if self.is_matrix else PROJECTIONS["plain"]()

    @abstractmethod
    def weights(self, inner: int, outer: int, *, bias: bool) -> int:
        """Return the parameters of one map."""

    def operations(self, inner: int, outer: int) -> int:
        """Return the forward operations of one map per token."""
        return 2 * inner * outer

    @abstractmethod
    def build(self, inner: int, outer: int, *, bias: bool) -> Any:
        """Return the module of one map: a `bias`, and a `weight` (outer, inner) if a matrix."""


PROJECTIONS = VariantTable(
    Projection,
    {
        "plain": ("PlainProjection", "The weight is the parameter."),
        "sigma-reparam": (
            "SigmaReparam",
            "The weight is divided by its largest singular value and scaled by a learned number.",
        ),
        "hashed": (
            "HashedProjection",
            "The signs of the channels, a few at a time, choose rows of tables, which are added "
            "up.",
        ),
    },
)
