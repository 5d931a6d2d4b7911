"""What happens between attention and output projection."""

from collections.abc import Callable
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint

Attended = Float[Tensor, "batch position head width"]
Used = Float[Tensor, "batch position kv_head used"]
Project = Callable[[nn.Module], Tensor]


@final
class Skip(nn.Module):
    """Add λ (V_1 − V_n), each query head with the values of its group."""

    strength: Tensor

    def __init__(self, strength: float, heads_per_group: int, *, first: bool) -> None:
        super().__init__()
        self.group, self.first = heads_per_group, first
        self.register_buffer("strength", torch.tensor(strength), persistent=False)

    def forward(
        self, attended: Attended, project: Project, value: Used, carried: Used | None
    ) -> tuple[Attended, Used]:
        """Return the output, and the first layer's values for the layers to come."""
        del project
        if self.first or carried is None:
            return attended, value
        skip = (carried - value).repeat_interleave(self.group, dim=2)
        return attended + self.strength.to(skip.dtype) * skip, carried


@final
class Gate(nn.Module):
    """Multiply each head by a sigmoid of the token's own block input."""

    def __init__(self, linear: nn.Module, heads: int) -> None:
        super().__init__()
        self.linear, self.heads = linear, heads
        self.hook_z = HookPoint()

    def forward(
        self, attended: Attended, project: Project, value: Used, carried: None
    ) -> tuple[Attended, None]:
        """Return the gated output; `project` applies a map to the input of every head."""
        del value
        gate = self.hook_z(torch.sigmoid(project(self.linear)))
        return attended * gate.to(attended.dtype), carried
