"""Where the static value of a key comes from: its own layer, the first one, or a table.

A mix happens on the projected values, before heads are split for the attention and on the
key-value heads, so that it composes with shared heads and with every value form.
"""

from abc import abstractmethod
from typing import Any, ClassVar

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.table import VariantTable
from dva_lens.mechanisms.variant import Variant


class ValueSource(Variant, frozen=True):
    """A source says which layers project values of their own and which mix."""

    called: ClassVar[str] = "value source"

    def owns(self, shape: Shape, layer: int) -> bool:
        """Say whether the layer has a value projection."""
        del shape, layer
        return True

    def caches(self, shape: Shape, layer: int) -> bool:
        """Say whether generation has to keep the values of the layer."""
        return self.owns(shape, layer)

    def mixes(self, shape: Shape, layer: int) -> bool:
        """Say whether the layer mixes the first layer's values into its own."""
        del shape, layer
        return False

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return two products and a sum per channel where the layer mixes."""
        del keys
        return 3.0 * shape.value_channels * self.mixes(shape, layer)

    @abstractmethod
    def build(self, shape: Shape, layer: int) -> Any:
        """Return the module."""


VALUE_SOURCES = VariantTable(
    ValueSource,
    {
        "own": ("OwnValue", "Every layer projects its own values."),
        "first-layer-mix": (
            "FirstLayerMix",
            "The first layer's values are added with fixed weights.",
        ),
        "first-layer-mix-learnable": (
            "LearnableMix",
            "Two learned numbers per layer weight the first layer's values and its own.",
        ),
        "first-layer-mix-learnable-plus": (
            "LearnablePlusMix",
            "Layers compete for the first layer's values: one scaled softmax over depth.",
        ),
        "first-layer-only": (
            "FirstLayerOnly",
            "All layers attend to the values of the first; only it projects values.",
        ),
        "token-table": (
            "TokenTable",
            "In the last layers, values are looked up by token, without any context.",
        ),
    },
)
