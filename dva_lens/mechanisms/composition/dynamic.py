"""Dynamically composable heads: every pair of query and key has maps over heads of its own."""

from dataclasses import replace
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import rms_norm

from dva_lens.kernels.composition import Composition, HeadMaps, TokenMaps
from dva_lens.kernels.nonlinearity import phi
from dva_lens.kernels.rule import Rule
from dva_lens.mechanisms.composition import HeadComposition
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, LinearFactory
from dva_lens.validation import Count

MAPS = 4
"""Of scores and of weights, and of each by the query's token and by the key's."""
EPSILON = 1e-6


@final
class DynamicComposition(HeadComposition, frozen=True):
    """Maps over heads are made of the query's and the key's token, for each pair.

    Each token adds a map of low `rank` and a gate per head to what all pairs share, once as a
    query and once as a key; scores have maps of their own, and so have weights. A pair thereby
    chooses the heads that deliver its value, which itself stays the same for every query. Weights
    may be negative, and rows sum to anything. With `base` false nothing but the identity is
    shared.
    """

    formula: ClassVar[str] = (
        "C(a)_ij = a_ij (I + W) + Σ_r (a_ij·α_ir) β_ir + γ_i ∘ a_ij + Σ_r (a_ij·α_jr) β_jr + "
        "γ_j ∘ a_ij; s' = C_l(s), a = softmax(s'), a' = C_w(a); of each token x: "
        "[α; β] = GELU(x W_1) W_2, α ← α / rms(α), γ = tanh(x W_γ)"
    )
    source: ClassVar[str] = (
        "DCMHA, Xiao et al. 2024 (2405.08553), and its code (Caiyun-AI/DCFormer)"
    )
    ours: ClassVar[str] = (
        "all maps start normal as other weights do; W is there by default, which the code can do "
        "and its trained models leave out; one group of all heads"
    )
    pairing: ClassVar[str] = (
        "yes: which heads deliver a value, as `experts` choose among values; the values "
        "themselves are those of keys alone"
    )

    rank: Count = 2
    base: bool = True

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the maps to hidden channels, to maps and to gates, and what all pairs share."""
        del layer
        hidden = MAPS * self._hidden(shape)
        total = linear(shape.width, hidden) + linear(shape.width, MAPS * shape.heads)
        return total + hidden * 2 * self.rank * shape.heads + 2 * self.base * shape.heads**2

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return what makes the maps and gates of a token, and what every pair does with them."""
        del layer
        hidden, gates = MAPS * self._hidden(shape), MAPS * shape.heads
        made = (2.0 * shape.width + 1) * (hidden + gates)
        made += 2.0 * hidden * 2 * self.rank * shape.heads
        of_token = 4 * self.rank * shape.heads + 2 * shape.heads
        pair = 2 * self.base * shape.heads**2 + 2 * of_token
        return made + keys * 2 * pair

    def kept(self, shape: Shape) -> int:
        """Return the maps and gates of a token as a key."""
        return 2 * (2 * self.rank + 1) * shape.heads

    def _hidden(self, shape: Shape) -> int:
        return 2 * self.rank * shape.heads

    def build(self, shape: Shape, linear: LinearFactory) -> nn.Module:
        """Return the module."""
        hidden = self._hidden(shape)
        made = linear(shape.width, MAPS * hidden), linear(shape.width, MAPS * shape.heads)
        return DynamicModule(shape, *made, hidden=hidden, rank=self.rank, base=self.base)


@final
class DynamicModule(nn.Module):
    """Makes the maps of every token, as a query and as a key, of scores and of weights."""

    def __init__(
        self,
        shape: Shape,
        hidden_map: nn.Module,
        gate_map: nn.Module,
        *,
        hidden: int,
        rank: int,
        base: bool,
    ) -> None:
        super().__init__()
        self.hidden, self.gates = hidden_map, gate_map
        self.maps = nn.Parameter(torch.zeros(MAPS, hidden, 2 * rank, shape.heads))
        self.normal = ("maps",)
        self.shared = None
        if base:
            self.shared = nn.Parameter(torch.zeros(2, shape.heads, shape.heads))
            self.normal = ("maps", "shared")

    def forward(self, rule: Rule, stream: Float[Tensor, "batch position width"]) -> Rule:
        """Return the rule with the maps of these tokens."""
        of_scores, of_weights = self._of_tokens(stream)
        shared = (None, None)
        if self.shared is not None:
            shared = self.shared + torch.eye(self.shared.shape[-1]).to(self.shared)
        before, after = shared
        maps = Composition(HeadMaps(before, *of_scores), HeadMaps(after, *of_weights))
        return replace(rule, composition=maps)

    def _of_tokens(
        self, stream: Float[Tensor, "batch position width"]
    ) -> tuple[list[TokenMaps], list[TokenMaps]]:
        """Return the maps of scores and of weights, each as a query's and as a key's."""
        hidden = phi(self.hidden(stream)).unflatten(-1, (MAPS, -1))
        made = torch.einsum("bnck,ckrh->bncrh", hidden, self.maps.to(hidden.dtype))
        read, write = made.chunk(2, dim=-2)
        read = rms_norm(read, read.shape[-1:], eps=EPSILON)
        gate = torch.tanh(self.gates(stream)).unflatten(-1, (MAPS, -1))
        found = [TokenMaps(read[:, :, c], write[:, :, c], gate[:, :, c]) for c in range(MAPS)]
        return found[:2], found[2:]
