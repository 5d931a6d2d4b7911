"""The softmax over the keys that a query sees."""

from typing import ClassVar, final

from jaxtyping import Int
from torch import Tensor, nn

from dva_lens.kernels.rule import Rule
from dva_lens.mechanisms.rule import AttentionRule
from dva_lens.mechanisms.shape import Shape


@final
class Softmax(AttentionRule, frozen=True):
    """Weights of a query are positive and sum to one."""

    formula: ClassVar[str] = "A_ij = exp(s_ij) / Σ_k exp(s_ik), s = q·k / sqrt(d_qk)"
    source: ClassVar[str] = "Vaswani et al. 2017 (1706.03762), eq. 1"

    def build(self, shape: Shape) -> nn.Module:
        """Return the module that makes the rule."""
        return SoftmaxModule(shape)


@final
class SoftmaxModule(nn.Module):
    """Divide scores by the root of the width of queries and keys."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.scale = shape.qk_dim**-0.5

    def forward(self, segments: Int[Tensor, "batch position"] | None) -> Rule:
        """Return the rule for these sequences."""
        return Rule(self.scale, segments=segments)
