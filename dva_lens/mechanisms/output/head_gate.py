"""Gated attention: a gate on what each head hands to the output projection."""

from collections.abc import Callable
from typing import ClassVar, Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint

from dva_lens.mechanisms.output import Output
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, LinearFactory


@final
class HeadGate(Output, frozen=True):
    """A sigmoid gate on the output of each head, read from the same token's block input.

    `per` says whether each channel of a head has a gate of its own, or the head has one.
    """

    formula: ClassVar[str] = "o_i ← o_i ∘ σ(W_g x_i), x after the norm"
    source: ClassVar[str] = "Qiu et al. 2025 (2505.06708), gate G1"

    per: Literal["channel", "head"] = "channel"

    def gates(self, shape: Shape) -> int:
        """Return how many gates a token has."""
        return shape.output_channels if self.per == "channel" else shape.heads

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the weights of the gate."""
        del layer
        return linear(shape.width, self.gates(shape))

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return the product that makes the gates, a nonlinearity each, and the gating."""
        del layer, keys
        gates = self.gates(shape)
        return (2.0 * shape.width + 1) * gates + shape.output_channels

    def build(self, shape: Shape, layer: int, linear: LinearFactory) -> nn.Module:
        """Return the module."""
        del layer
        return HeadGateModule(linear(shape.width, self.gates(shape)))


Attended = Float[Tensor, "batch position head width"]


@final
class HeadGateModule(nn.Module):
    """Multiply each head by a sigmoid of the token's own block input."""

    def __init__(self, linear: nn.Module) -> None:
        super().__init__()
        self.linear = linear
        self.hook_z = HookPoint()

    def forward(
        self,
        attended: Attended,
        project: Callable[[nn.Module], Tensor],
        value: Float[Tensor, "batch position kv_head used"],
        state: None,
    ) -> tuple[Attended, None]:
        """Return the gated output; `project` applies a map to the input of every head."""
        del value
        gate = self.hook_z(torch.sigmoid(project(self.linear)))
        return attended * gate.to(attended.dtype), state
