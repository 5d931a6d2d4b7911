"""ResFormer whose layers compete for the first layer's values."""

from typing import ClassVar, final

import torch
from torch import nn

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.value_source.first_layer import (
    RESFORMER,
    FirstLayerState,
    MixOverDepth,
    SourceModule,
    Used,
    Value,
    mix,
)
from dva_lens.mechanisms.variant import LinearCost
from dva_lens.validation import Number


@final
class LearnablePlusMix(MixOverDepth, frozen=True):
    """Layers compete for the first layer's values: one scaled softmax over depth."""

    formula: ClassVar[str] = "λ_{n,1} = s · softmax_n(l), s starts at the number of layers"
    source: ClassVar[str] = f"{RESFORMER}, learnable-plus"
    ours: ClassVar[str] = "the logits l start at zero; the source does not give their start"

    own: Number = 0.5

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the own weight; the first layer holds the logits and the scale."""
        del linear
        return 1 if layer else shape.layers

    def build(self, shape: Shape, layer: int) -> nn.Module:
        """Return the module."""
        if layer:
            return LearnablePlusMixModule(layer, self.own)
        return DepthShares(shape.layers)


@final
class DepthShares(SourceModule):
    """Use the own value, and hand on how much of it each later layer takes."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(layers - 1))
        self.scale = nn.Parameter(torch.tensor(float(layers)))

    def forward(self, own: Value, state: FirstLayerState | None) -> Used:
        """Return the value used, its summands, and the state for the layers to come."""
        del state
        shares = self.scale * torch.softmax(self.logits, dim=0)
        return own, {"own": own}, FirstLayerState(own, shares)


@final
class LearnablePlusMixModule(SourceModule):
    """Mix with a learned own weight, and with the share that the first layer allots."""

    def __init__(self, layer: int, own: float) -> None:
        super().__init__()
        self.layer = layer
        self.own_share = nn.Parameter(torch.tensor(float(own)))

    def forward(self, own: Value, state: FirstLayerState | None) -> Used:
        """Return the value used, its summands, and the state for the layers to come.

        Raises
        ------
        RuntimeError
            The first layer has handed on no shares.
        """
        if state is None or state.shares is None:
            raise RuntimeError("A mixing layer needs the shares that the first layer allots.")
        return mix(own, state, state.shares[self.layer - 1], self.own_share)
