"""Context-free values: a table of the vocabulary in the last layers."""

from typing import ClassVar, final

import torch
from jaxtyping import Int
from torch import Tensor, nn

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.value_source import ValueSource
from dva_lens.mechanisms.value_source.first_layer import (
    FirstLayerState,
    SourceModule,
    Used,
    Value,
)
from dva_lens.mechanisms.value_source.own import OwnValueModule
from dva_lens.mechanisms.variant import LinearCost
from dva_lens.validation import Many


@final
class TokenTable(ValueSource, frozen=True):
    """In the last layers, values are looked up by token, without any context.

    `layers` count from 0; None stands for the last third.
    """

    formula: ClassVar[str] = "v_j = E_n[t_j] in the last third of the layers"
    source: ClassVar[str] = "2606.02780, context-free values"
    ours: ClassVar[str] = "one table per layer, as wide as its values; no projection beside it"

    layers: Many[int] | None = None

    def check(self, shape: Shape) -> None:
        """Refuse layers that are not there.

        Raises
        ------
        ValueError
            A layer with a table is not in the model.
        """
        wrong = [layer for layer in self.layers or () if not 0 <= layer < shape.layers]
        if wrong:
            raise ValueError(
                f"Table layers must lie between 0 and {shape.layers - 1}, got {wrong} for "
                f"{shape.layers} layers."
            )

    def looks_up(self, shape: Shape, layer: int) -> bool:
        """Say whether the layer takes its values from a table."""
        if self.layers is None:
            return layer >= shape.layers - -(-shape.layers // 3)
        return layer in self.layers

    def owns(self, shape: Shape, layer: int) -> bool:
        """Say whether the layer projects its values."""
        return not self.looks_up(shape, layer)

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the table."""
        del linear
        return shape.vocabulary * shape.value_channels * self.looks_up(shape, layer)

    def build(self, shape: Shape, layer: int) -> nn.Module:
        """Return the module."""
        if not self.looks_up(shape, layer):
            return OwnValueModule()
        return TokenTableModule(shape)


@final
class TokenTableModule(SourceModule):
    """Look the value up by the token."""

    normal = ("weight",)

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.kv_heads = shape.kv_heads
        self.weight = nn.Parameter(torch.zeros(shape.vocabulary, shape.value_channels))

    def own(
        self,
        projected: Value | None,
        tokens: Int[Tensor, "batch position"],
        state: FirstLayerState | None,
    ) -> Value:
        """Return the values of the tokens."""
        del projected, state
        return nn.functional.embedding(tokens, self.weight).unflatten(-1, (self.kv_heads, -1))

    def forward(self, own: Value, state: FirstLayerState | None) -> Used:
        """Return the value used, its summands, and the state for the layers to come."""
        return own, {"table": own}, state
