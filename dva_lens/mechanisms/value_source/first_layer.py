"""What the sources share: the first layer's values, handed on and mixed in.

The module of a source says its own value (`own`) and turns it into the value used (`forward`),
together with the summands of that value by where they come from, and with the cross-layer state
for the layers to come.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import final

from jaxtyping import Float, Int
from torch import Tensor, nn

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.value_source import ValueSource

RESFORMER = "Zhou et al. 2024 (2410.17897)"
Value = Float[Tensor, "batch position kv_head width"]
Summands = dict[str, Tensor]


class MixOverDepth(ValueSource, frozen=True):
    """A mix of the first layer's values into those of every later layer."""

    def check(self, shape: Shape) -> None:
        """Refuse a model in which nothing can mix.

        Raises
        ------
        ValueError
            The model has a single layer.
        """
        if shape.layers < 2:
            raise ValueError(f"A mix over depth needs at least 2 layers, got {shape.layers}.")

    def mixes(self, shape: Shape, layer: int) -> bool:
        """Say whether the layer is a later one."""
        del shape
        return layer > 0


@final
@dataclass(frozen=True)
class FirstLayerState:
    """The first layer's values, and the shares in which later layers take them."""

    value: Value
    shares: Float[Tensor, "layer"] | None = None


Used = tuple[Value, Summands, FirstLayerState | None]
"""The value used, its summands by source, and the state for the layers to come."""


class SourceModule(nn.Module):
    """What the module of a source does: it looks values up, or leaves them to the projection."""

    def own(
        self,
        projected: Value | None,
        tokens: Int[Tensor, "batch position"],
        state: FirstLayerState | None,
    ) -> Value:
        """Return what the layer itself would attend to.

        Raises
        ------
        RuntimeError
            The layer has no value projection.
        """
        del tokens, state
        if projected is None:
            raise RuntimeError("This layer has no value projection and no other source.")
        return projected

    @abstractmethod
    def forward(self, own: Value, state: FirstLayerState | None) -> Used:
        """Return the value used, its summands, and the state for the layers to come."""


@final
class KeepFirstLayer(SourceModule):
    """Use the own value; in the first layer, hand it on."""

    def forward(self, own: Value, state: FirstLayerState | None) -> Used:
        """Return the value used, its summands, and the state for the layers to come."""
        return own, {"own": own}, FirstLayerState(own) if state is None else state


def mix(own: Value, state: FirstLayerState | None, first_share: Tensor, own_share: Tensor) -> Used:
    """Return the sum of the own value and the first layer's, each with its share.

    Raises
    ------
    RuntimeError
        No layer before this one has handed on its values.
    """
    if state is None:
        raise RuntimeError("A mixing layer needs the values of the first layer.")
    parts = {
        "own": own_share.to(own.dtype) * own,
        "first": first_share.to(own.dtype) * state.value,
    }
    return parts["own"] + parts["first"], parts, state
