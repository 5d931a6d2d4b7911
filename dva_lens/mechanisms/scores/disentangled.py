"""Scores of contents, and of contents with distances, as terms of their own."""

from dataclasses import replace
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dva_lens.kernels.rule import Rule
from dva_lens.mechanisms.scores import Scores
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, LinearFactory
from dva_lens.validation import Count


@final
class Disentangled(Scores, frozen=True):
    """Contents are compared with contents and with distances, and distances with contents.

    Each distance has a learned key and a learned query per head, and all from `clip` on share
    one. No pair is kept: a query has a term for every distance, and so has a key, which kernels
    gather for their blocks. Queries and keys before rotary position make these terms.
    """

    formula: ClassVar[str] = (
        "s_ij = (q_i·k_j + q_i·κ_c + ρ_c·k_j) / sqrt(3 d_qk), c = min(i − j, clip)"
    )
    source: ClassVar[str] = "DeBERTa, He et al. 2021 (2006.03654), eq. 4"
    ours: ClassVar[str] = (
        "causal, so that distances count back alone; κ and ρ are learned as they are in every "
        "layer, not as maps of vectors that all layers share; no absolute positions ahead of the "
        "output"
    )
    own_terms: ClassVar[bool] = True

    clip: Count = 16

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the keys and the queries of the distances."""
        del layer, linear
        return 2 * shape.heads * (self.clip + 1) * shape.qk_dim

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return the terms of every query and key, and their sums for pairs."""
        del layer
        return shape.heads * (4.0 * (self.clip + 1) * shape.qk_dim + 2 * keys)

    def build(self, shape: Shape, heads: int, linear: LinearFactory) -> Any:
        """Return the linear map."""
        return linear(shape.width, heads * shape.qk_dim)

    def terms(self, shape: Shape) -> nn.Module:
        """Return the module that adds the terms to a rule."""
        return DistanceTerms(shape, self.clip)


@final
class DistanceTerms(nn.Module):
    """The keys and queries of distances."""

    normal = ("keys", "queries")

    def __init__(self, shape: Shape, clip: int) -> None:
        super().__init__()
        size = (shape.heads, clip + 1, shape.qk_dim)
        self.keys, self.queries = (nn.Parameter(torch.zeros(size)) for _ in range(2))

    def forward(
        self,
        rule: Rule,
        query: Float[Tensor, "batch position head qk"],
        key: Float[Tensor, "batch position kv_head qk"],
    ) -> Rule:
        """Return the rule with the terms, all of it divided by the root of three."""
        scale = rule.scale * 3**-0.5
        key = key.repeat_interleave(query.shape[2] // key.shape[2], dim=2)
        of_query = scale * torch.einsum("bnhd,hcd->bhnc", query, self.keys)
        of_key = scale * torch.einsum("bnhd,hcd->bhnc", key, self.queries)
        return replace(rule, scale=scale, query_terms=of_query, key_terms=of_key)
