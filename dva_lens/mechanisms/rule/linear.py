"""Normalised weights that are products of positive features: linear attention."""

from typing import Any, ClassVar, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dva_lens.kernels.rule import Rule
from dva_lens.mechanisms.rule import AttentionRule
from dva_lens.mechanisms.shape import Shape


@final
class Linear(AttentionRule, frozen=True):
    """Weights are in proportion to products of positive features, and rows sum to one.

    Equal to a softmax over the logarithms of the products, which is how it is recorded:
    log-sum-exp is the logarithm of the normaliser, and queries and keys are the features. Where
    positions rotate queries and keys, they do so ahead of the map, and weights depend on where a
    pair stands; learned positions, or none, go with it as the source has it.
    """

    formula: ClassVar[str] = "A_ij = φ(q_i)·φ(k_j) / Σ_k φ(q_i)·φ(k_k), φ(x) = elu(x) + 1"
    source: ClassVar[str] = "Katharopoulos et al. 2020 (2006.16236), eqs. 4 and 7"
    ours: ClassVar[str] = "computed pair by pair, not as the recurrence that it allows"

    def features(self) -> Any:
        """Return the map of queries and keys."""
        return positive

    def build(self, shape: Shape) -> nn.Module:
        """Return the module that makes the rule."""
        del shape
        return LinearModule()


@final
class LinearModule(nn.Module):
    """Take the products of features as they are."""

    def forward(self, segments: Int[Tensor, "batch position"] | None) -> Rule:
        """Return the rule for these sequences."""
        return Rule(1.0, similarity="linear", segments=segments)


def positive(inputs: Float[Tensor, "*any channel"]) -> Float[Tensor, "*any channel"]:
    """Return elu(x) + 1, with all digits where it is small."""
    return torch.where(inputs > 0, inputs + 1, inputs.clamp(max=0).exp())
