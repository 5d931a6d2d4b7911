"""How the residual stream is normalised before each branch reads it."""

from abc import abstractmethod
from typing import Any, ClassVar

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.table import VariantTable
from dva_lens.mechanisms.variant import Variant
from dva_lens.validation import Positive


class Norm(Variant, frozen=True):
    """A norm of the stream; `epsilon` keeps it finite and `tag` is TransformerLens's word."""

    called: ClassVar[str] = "norm"

    tag: ClassVar[str]

    epsilon: Positive = 1e-5

    @abstractmethod
    def weights(self, shape: Shape) -> int:
        """Return the parameters of one norm."""

    @abstractmethod
    def build(self, shape: Shape) -> Any:
        """Return the module, which hooks its scale and its result."""


NORMS = VariantTable(
    Norm,
    {
        "rms": ("RmsNorm", "Division by the root mean square, and a gain per channel."),
        "layer": (
            "LayerNorm",
            "Standardisation over channels, with a gain and a shift per channel.",
        ),
    },
)
