"""The two norms, with TransformerLens's hooks on the scale and on the result."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint

Stream = Float[Tensor, "*batch width"]


@final
class Rms(nn.Module):
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


@final
class Layer(nn.Module):
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
