"""The norm by mean and deviation."""

from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint

from dva_lens.mechanisms.norm import Norm
from dva_lens.mechanisms.shape import Shape


@final
class LayerNorm(Norm, frozen=True):
    """Standardisation over channels, with a gain and a shift per channel."""

    formula: ClassVar[str] = "g (x − mean(x)) / sqrt(var(x) + ε) + b"
    source: ClassVar[str] = "Ba et al. 2016 (1607.06450), as in GPT-2"
    tag: ClassVar[str] = "LN"

    def weights(self, shape: Shape) -> int:
        """Return the parameters of one norm."""
        return 2 * shape.width

    def build(self, shape: Shape) -> nn.Module:
        """Return the module."""
        return LayerNormModule(shape.width, self.epsilon)


Stream = Float[Tensor, "*batch width"]


@final
class LayerNormModule(nn.Module):
    """Standardise over channels, computed in at least fp32."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.hook_scale = HookPoint()
        self.hook_normalized = HookPoint()

    def forward(self, stream: Stream) -> Stream:
        """Return the normalised stream in the dtype it came in."""
        wide = stream.to(torch.promote_types(stream.dtype, torch.float32))
        centred = wide - wide.mean(-1, keepdim=True)
        scale = self.hook_scale((centred.square().mean(-1, keepdim=True) + self.epsilon).sqrt())
        return self.hook_normalized(self.weight * (centred / scale).to(stream.dtype) + self.bias)
