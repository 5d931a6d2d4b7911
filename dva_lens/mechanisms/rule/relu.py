"""The positive part of each score, divided by how many keys there are."""

from typing import ClassVar, final

from jaxtyping import Int
from torch import Tensor, nn

from dva_lens.kernels.rule import Rule
from dva_lens.mechanisms.rule import AttentionRule
from dva_lens.mechanisms.shape import Shape


@final
class Relu(AttentionRule, frozen=True):
    """Weights are positive parts of scores over the number of visible keys.

    They may be zero. Keys do not compete, rows do not sum to one, and one weight may exceed it:
    entropies are sums of -p log p as they stand, which weights above one make smaller.
    """

    formula: ClassVar[str] = "A_ij = max(s_ij, 0) / n_i, n_i: how many keys i sees"
    source: ClassVar[str] = "Wortsman et al. 2023 (2309.08586)"
    ours: ClassVar[str] = "n_i is what a query sees under causality, not the length of the text"

    def build(self, shape: Shape) -> nn.Module:
        """Return the module that makes the rule."""
        return ReluModule(shape)


@final
class ReluModule(nn.Module):
    """Divide scores by the root of the width of queries and keys."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.scale = shape.qk_dim**-0.5

    def forward(self, segments: Int[Tensor, "batch position"] | None) -> Rule:
        """Return the rule for these sequences."""
        return Rule(self.scale, normaliser="relu", segments=segments)
