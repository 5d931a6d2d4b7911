"""The rules of weights: each module hands the kernels what its attention needs to know."""

from typing import Literal, final

import torch
from jaxtyping import Int
from torch import Tensor, nn

from dva_lens.kernels.weights import Weights
from dva_lens.mechanisms.shape import Shape

Segments = Int[Tensor, "batch position"]


@final
class Rule(nn.Module):
    """A rule without parameters."""

    def __init__(
        self,
        shape: Shape,
        *,
        bias: float = 0.0,
        normaliser: Literal["softmax", "sigmoid"] = "softmax",
    ) -> None:
        super().__init__()
        self.scale, self.bias = shape.qk_dim**-0.5, bias
        self.normaliser: Literal["softmax", "sigmoid"] = normaliser

    def forward(self, segments: Segments | None) -> Weights:
        """Return the rule for these sequences."""
        return Weights(self.scale, normaliser=self.normaliser, bias=self.bias, segments=segments)


@final
class ZeroSink(nn.Module):
    """Softmax with one more key of logit zero."""

    sink: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.scale = shape.qk_dim**-0.5
        self.register_buffer("sink", torch.zeros(shape.heads), persistent=False)

    def forward(self, segments: Segments | None) -> Weights:
        """Return the rule for these sequences."""
        return Weights(self.scale, sink=self.sink, segments=segments)


@final
class TrainedSink(nn.Module):
    """Softmax with one more key, of learned logit for each query head."""

    normal = ("sink",)

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.scale = shape.qk_dim**-0.5
        self.sink = nn.Parameter(torch.zeros(shape.heads))

    def forward(self, segments: Segments | None) -> Weights:
        """Return the rule for these sequences."""
        return Weights(self.scale, sink=self.sink, segments=segments)
