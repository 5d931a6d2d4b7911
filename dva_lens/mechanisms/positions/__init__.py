"""How the model knows where a token stands."""

from abc import abstractmethod
from typing import Any, ClassVar

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.table import VariantTable
from dva_lens.mechanisms.variant import Variant


class Positions(Variant, frozen=True):
    """Positions enter the stream, or the queries and keys; `tag` is TransformerLens's word."""

    called: ClassVar[str] = "choice of positions"

    tag: ClassVar[str]

    @abstractmethod
    def weights(self, shape: Shape) -> int:
        """Return the parameters of the model's positions."""

    @abstractmethod
    def embedding(self, shape: Shape) -> Any:
        """Return the module whose result is added to the embedding, or None."""

    @abstractmethod
    def rotation(self, shape: Shape) -> Any:
        """Return the module that turns queries and keys, or None."""


POSITIONS = VariantTable(
    Positions,
    {
        "rotary": ("Rotary", "Queries and keys are rotated by their position."),
        "none": ("NoPositions", "Nothing says where a token stands but what it sees."),
        "learned": ("Learned", "A learned vector per position is added to the embedding."),
    },
)
