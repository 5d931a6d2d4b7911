"""Values of the layer itself."""

from typing import ClassVar, final

from torch import nn

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.value_source import ValueSource
from dva_lens.mechanisms.value_source.first_layer import (
    FirstLayerState,
    SourceModule,
    Used,
    Value,
)


@final
class OwnValue(ValueSource, frozen=True):
    """Every layer projects its own values."""

    formula: ClassVar[str] = "V_n = H_{n−1} W_n^V"
    source: ClassVar[str] = "Vaswani et al. 2017 (1706.03762)"

    def build(self, shape: Shape, layer: int) -> nn.Module:
        """Return the module."""
        del shape, layer
        return OwnValueModule()


@final
class OwnValueModule(SourceModule):
    """Use the own value and hand nothing on."""

    def forward(self, own: Value, state: FirstLayerState | None) -> Used:
        """Return the value used, its summands, and the state for the layers to come."""
        return own, {"own": own}, state
