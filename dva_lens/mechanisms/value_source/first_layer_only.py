"""SVFormer: one layer's values for all."""

from typing import ClassVar, final

from jaxtyping import Int
from torch import Tensor, nn

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.value_source import ValueSource
from dva_lens.mechanisms.value_source.first_layer import (
    RESFORMER,
    FirstLayerState,
    KeepFirstLayer,
    SourceModule,
    Used,
    Value,
)


@final
class FirstLayerOnly(ValueSource, frozen=True):
    """All layers attend to the values of the first; only it projects values."""

    formula: ClassVar[str] = "V_n = V_1"
    source: ClassVar[str] = f"{RESFORMER}, SVFormer"

    def owns(self, shape: Shape, layer: int) -> bool:
        """Say whether the layer is the first."""
        del shape
        return layer == 0

    def build(self, shape: Shape, layer: int) -> nn.Module:
        """Return the module."""
        del shape
        return FirstLayerOnlyModule() if layer else KeepFirstLayer()


@final
class FirstLayerOnlyModule(SourceModule):
    """Use the first layer's values."""

    def own(
        self,
        projected: Value | None,
        tokens: Int[Tensor, "batch position"],
        state: FirstLayerState | None,
    ) -> Value:
        """Return the first layer's values.

        Raises
        ------
        RuntimeError
            The first layer has handed on no values.
        """
        del projected, tokens
        if state is None:
            raise RuntimeError("This layer needs the values of the first layer.")
        return state.value

    def forward(self, own: Value, state: FirstLayerState | None) -> Used:
        """Return the value used, its summands, and the state for the layers to come."""
        return own, {"first": own}, state
