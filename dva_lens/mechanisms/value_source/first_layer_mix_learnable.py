"""ResFormer with learned weights."""

from typing import ClassVar, final

import torch
from torch import nn

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
from dva_lens.mechanisms.variant import LinearCost
from dva_lens.validation import Number


@final
class LearnableMix(MixOverDepth, frozen=True):
    """Two learned numbers per layer weight the first layer's values and its own."""

    formula: ClassVar[str] = "V'_n = λ_{n,1} V_1 + λ_{n,2} H_{n−1} W_n^V, both learned"
    source: ClassVar[str] = f"{RESFORMER}, learnable"

    first: Number = 0.5
    own: Number = 0.5

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the two weights."""
        del linear
        return 2 * self.mixes(shape, layer)

    def build(self, shape: Shape, layer: int) -> nn.Module:
        """Return the module."""
        if not self.mixes(shape, layer):
            return KeepFirstLayer()
        return LearnableMixModule(self.first, self.own)


@final
class LearnableMixModule(SourceModule):
    """Mix with two learned weights."""

    def __init__(self, first: float, own: float) -> None:
        super().__init__()
        self.first_share = nn.Parameter(torch.tensor(float(first)))
        self.own_share = nn.Parameter(torch.tensor(float(own)))

    def forward(self, own: Value, state: FirstLayerState | None) -> Used:
        """Return the value used, its summands, and the state for the layers to come."""
        return mix(own, state, self.first_share, self.own_share)
