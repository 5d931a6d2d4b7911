"""Talking-heads attention: one map over heads ahead of the softmax, and one behind it."""

from dataclasses import replace
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dva_lens.kernels.composition import Composition, HeadMaps
from dva_lens.kernels.rule import Rule
from dva_lens.mechanisms.composition import HeadComposition
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, LinearFactory


@final
class TalkingHeads(HeadComposition, frozen=True):
    """Scores and weights pass through learned maps over heads, the same for all pairs.

    Weights may be negative behind the second map, and rows sum to what it makes of one.
    """

    formula: ClassVar[str] = "s'_ij = s_ij P_l, a_ij = softmax_j(s'_ij), a'_ij = a_ij P_w"
    source: ClassVar[str] = "Shazeer et al. 2020 (2003.02436)"
    ours: ClassVar[str] = (
        "as many heads of queries, of the softmax and of values; both maps start as the identity"
    )

    pairing: ClassVar[str] = "no: all pairs have the same maps"

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the two maps."""
        del layer, linear
        return 2 * shape.heads**2

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return two maps of every pair."""
        del layer
        return keys * 4.0 * shape.heads**2

    def build(self, shape: Shape, linear: LinearFactory) -> nn.Module:
        """Return the module."""
        del linear
        return TalkingHeadsModule(shape)


@final
class TalkingHeadsModule(nn.Module):
    """The maps P_l of scores and P_w of weights, from (row) all heads to (column) each of them."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.scores, self.weights = (nn.Parameter(torch.eye(shape.heads)) for _ in range(2))

    def forward(self, rule: Rule, stream: Float[Tensor, "batch position width"]) -> Rule:
        """Return the rule with the maps."""
        del stream
        maps = Composition(HeadMaps(self.scores), HeadMaps(self.weights))
        return replace(rule, composition=maps)
