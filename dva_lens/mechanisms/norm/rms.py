"""The norm by the root mean square."""

from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint

from dva_lens.mechanisms.norm import Norm
from dva_lens.mechanisms.shape import Shape


@final
class RmsNorm(Norm, frozen=True):
    """Division by the root mean square, and a gain per channel."""

    formula: ClassVar[str] = "g x / sqrt(mean(x²) + ε)"
    source: ClassVar[str] = "Zhang & Sennrich 2019 (1910.07467), as in LLaMA"
    tag: ClassVar[str] = "RMS"

    def weights(self, shape: Shape) -> int:
        """Return the parameters of one norm."""
        return shape.width

    def build(self, shape: Shape) -> nn.Module:
        """Return the module."""
        return RmsNormModule(shape.width, self.epsilon)


Stream = Float[Tensor, "*batch width"]


@final
class RmsNormModule(nn.Module):
    """Divide by the root mean square, computed in at least fp32."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(width))
        self.hook_scale = HookPoint()
        self.hook_normalized = HookPoint()

    def forward(self, stream: Stream) -> Stream:
        """Return the normalised stream in the dtype it came in."""
        wide = stream.to(torch.promote_types(stream.dtype, torch.float32))
        scale = self.hook_scale((wide.square().mean(-1, keepdim=True) + self.epsilon).sqrt())
        return self.hook_normalized(self.weight * (wide / scale).to(stream.dtype))
