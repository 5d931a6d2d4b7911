"""The softmax with a learned logit per head that takes weight away from all keys."""

from typing import ClassVar, final

import torch
from jaxtyping import Int
from torch import Tensor, nn

from dva_lens.kernels.rule import Rule
from dva_lens.mechanisms.rule import AttentionRule
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost


@final
class LearnedSink(AttentionRule, frozen=True):
    """Softmax over the keys and one virtual key of learned logit without a value.

    Each query head has a logit of its own.
    """

    formula: ClassVar[str] = "A_ij = exp(s_ij) / (exp(S_h) + Σ_k exp(s_ik))"
    source: ClassVar[str] = "gpt-oss (OpenAI 2025, 2508.10925), `sdpa` of its reference code"

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return one logit per head."""
        del layer, linear
        return shape.heads

    def build(self, shape: Shape) -> nn.Module:
        """Return the module that makes the rule."""
        return LearnedSinkModule(shape)


@final
class LearnedSinkModule(nn.Module):
    """Softmax with one more key, of learned logit for each query head."""

    normal = ("sink",)

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.scale = shape.qk_dim**-0.5
        self.sink = nn.Parameter(torch.zeros(shape.heads))

    def forward(self, segments: Int[Tensor, "batch position"] | None) -> Rule:
        """Return the rule for these sequences."""
        return Rule(self.scale, sink=self.sink, segments=segments)
