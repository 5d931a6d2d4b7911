"""The sigmoid of each score, without competition among keys."""

from math import log
from typing import ClassVar, final

from jaxtyping import Int
from torch import Tensor, nn

from dva_lens.kernels.rule import Rule
from dva_lens.mechanisms.rule import AttentionRule
from dva_lens.mechanisms.shape import Shape
from dva_lens.validation import Number


@final
class Sigmoid(AttentionRule, frozen=True):
    """Weights are independent of one another; rows do not sum to one.

    `bias` of None is minus the log of the context, so that a row starts with a mass near one.
    """

    formula: ClassVar[str] = "A_ij = σ(s_ij + b), b = −log n"
    source: ClassVar[str] = "Ramapuram et al. 2024 (2409.04431): b = −log n, not learned"
    ours: ClassVar[str] = "n is the context; no LayerScale, no norm on queries and keys"

    bias: Number | None = None

    def build(self, shape: Shape) -> nn.Module:
        """Return the module that makes the rule."""
        return SigmoidModule(shape, -log(shape.context) if self.bias is None else self.bias)


@final
class SigmoidModule(nn.Module):
    """Divide scores by the root of the width of queries and keys, and shift them."""

    def __init__(self, shape: Shape, bias: float) -> None:
        super().__init__()
        self.scale, self.bias = shape.qk_dim**-0.5, bias

    def forward(self, segments: Int[Tensor, "batch position"] | None) -> Rule:
        """Return the rule for these sequences."""
        return Rule(self.scale, normaliser="sigmoid", bias=self.bias, segments=segments)
