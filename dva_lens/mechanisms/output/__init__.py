"""What happens to the attended values before the output projection."""

from abc import abstractmethod
from typing import Any, ClassVar

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.table import VariantTable
from dva_lens.mechanisms.variant import LinearFactory, Variant


class Output(Variant, frozen=True):
    """An output changes what each head hands to the output projection."""

    called: ClassVar[str] = "choice of output"

    @abstractmethod
    def build(self, shape: Shape, layer: int, linear: LinearFactory) -> Any:
        """Return the module, or None where nothing happens."""


OUTPUTS = VariantTable(
    Output,
    {
        "plain": ("PlainOutput", "Head outputs go to the output projection unchanged."),
        "neutreno": (
            "Neutreno",
            "A skip from the first layer's values to the output, from the second layer on.",
        ),
        "head-gate": (
            "HeadGate",
            "A sigmoid gate on the output of each head, read from the same token's block input.",
        ),
    },
)
