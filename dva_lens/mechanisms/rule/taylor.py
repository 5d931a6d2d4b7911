"""Normalised weights whose exponential is a series of second order."""

from typing import ClassVar, final

from jaxtyping import Int
from torch import Tensor, nn

from dva_lens.kernels.rule import Rule
from dva_lens.mechanisms.rule import AttentionRule
from dva_lens.mechanisms.shape import Shape


@final
class Taylor(AttentionRule, frozen=True):
    """Weights are in proportion to 1 + s + s²/2, which is positive, and rows sum to one.

    Equal to a softmax over the logarithms of the series, which is how it is recorded: log-sum-exp
    is the logarithm of the normaliser.
    """

    formula: ClassVar[str] = "A_ij = g(s_ij) / Σ_k g(s_ik), g(s) = 1 + s + s²/2"
    source: ClassVar[str] = (
        "Based, Arora et al. 2024 (2402.18668); *Approximate*, Xue et al. 2025 (2510.11602), eq. 6"
    )
    ours: ClassVar[str] = "computed pair by pair, not as the recurrence that it allows"

    def build(self, shape: Shape) -> nn.Module:
        """Return the module that makes the rule."""
        return TaylorModule(shape)


@final
class TaylorModule(nn.Module):
    """Divide scores by the root of the width of queries and keys."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.scale = shape.qk_dim**-0.5

    def forward(self, segments: Int[Tensor, "batch position"] | None) -> Rule:
        """Return the rule for these sequences."""
        return Rule(self.scale, similarity="taylor", segments=segments)
