"""The softmax that lets a query attend to nothing."""

from typing import ClassVar, final

import torch
from jaxtyping import Int
from torch import Tensor, nn

from dva_lens.kernels.rule import Rule
from dva_lens.mechanisms.rule import AttentionRule
from dva_lens.mechanisms.shape import Shape


@final
class SoftmaxOffByOne(AttentionRule, frozen=True):
    """Softmax over the keys and one virtual key of logit 0 without a value."""

    formula: ClassVar[str] = "A_ij = exp(s_ij) / (1 + Σ_k exp(s_ik))"
    source: ClassVar[str] = "Miller 2023, Attention Is Off By One"

    def build(self, shape: Shape) -> nn.Module:
        """Return the module that makes the rule."""
        return SoftmaxOffByOneModule(shape)


@final
class SoftmaxOffByOneModule(nn.Module):
    """Softmax with one more key of logit zero."""

    sink: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.scale = shape.qk_dim**-0.5
        self.register_buffer("sink", torch.zeros(shape.heads), persistent=False)

    def forward(self, segments: Int[Tensor, "batch position"] | None) -> Rule:
        """Return the rule for these sequences."""
        return Rule(self.scale, sink=self.sink, segments=segments)
