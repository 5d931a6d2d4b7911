"""ResFormer with fixed weights: identity, constant and sparse."""

from typing import ClassVar, final

import torch
from torch import Tensor, nn

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.value_source.first_layer import (
    RESFORMER,
    FirstLayerState,
    KeepFirstLayer,
    MixOverDepth,
    SourceModule,
    Used,
    Value,
    mix,
)
from dva_lens.validation import Many, Number


@final
class FirstLayerMix(MixOverDepth, frozen=True):
    """The first layer's values are added with fixed weights.

    0.5 and 0.5 is the identity ResFormer, 2 and 1 the constant one, and 5 and 1 in the last
    three of eight layers the sparse one. `layers` count from 0; None stands for all but the first.
    """

    formula: ClassVar[str] = "V'_n = λ₁ V_1 + λ₂ H_{n−1} W_n^V, n ≥ 2"
    source: ClassVar[str] = f"{RESFORMER}, identity, constant and sparse"
    ours: ClassVar[str] = "λ₂ = 1 of the sparse kind, and its layers at depths other than 8"

    first: Number = 0.5
    own: Number = 0.5
    layers: Many[int] | None = None

    def check(self, shape: Shape) -> None:
        """Refuse layers that are not there.

        Raises
        ------
        ValueError
            The model has a single layer, or a layer to mix in is not among the later ones.
        """
        super().check(shape)
        layers = self.layers
        if layers is None:
            return
        if not layers or any(not 1 <= layer < shape.layers for layer in layers):
            raise ValueError(
                f"Mixing layers must lie between 1 and {shape.layers - 1} (layers count from 0, "
                f"and the first has nothing to mix in), got layers={list(layers)} for "
                f"{shape.layers} layers."
            )

    def mixes(self, shape: Shape, layer: int) -> bool:
        """Say whether the layer mixes."""
        if self.layers is None:
            return super().mixes(shape, layer)
        return layer in self.layers

    def build(self, shape: Shape, layer: int) -> nn.Module:
        """Return the module."""
        if not self.mixes(shape, layer):
            return KeepFirstLayer()
        return FirstLayerMixModule(self.first, self.own)


@final
class FirstLayerMixModule(SourceModule):
    """Mix with fixed weights."""

    first_share: Tensor
    own_share: Tensor

    def __init__(self, first: float, own: float) -> None:
        super().__init__()
        self.register_buffer("first_share", torch.tensor(float(first)), persistent=False)
        self.register_buffer("own_share", torch.tensor(float(own)), persistent=False)

    def forward(self, own: Value, state: FirstLayerState | None) -> Used:
        """Return the value used, its summands, and the state for the layers to come."""
        return mix(own, state, self.first_share, self.own_share)
