"""Grouped softmax: a landmark of every past block decides how much weight its keys share."""

from typing import Annotated, ClassVar, final

import torch
from pydantic import Field
from torch import nn

from dva_lens.kernels.block_sums import block_sums
from dva_lens.kernels.rule import Rule
from dva_lens.mechanisms.past_blocks import (
    PlacedHeads,
    WholeBlocks,
    gates,
    length_of,
    mean_past,
    size_of,
)
from dva_lens.mechanisms.rule import AttentionRule
from dva_lens.mechanisms.rule.softmax import SoftmaxModule
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost


@final
class Landmark(AttentionRule, frozen=True):
    """Keys of a past block share the weight that a query gives the block's landmark.

    One softmax is over the keys of the query's own block up to the query and the landmarks of the
    blocks before it; what a landmark gets is shared out by a softmax over the keys of its block.
    Rows sum to one. `block` is how many tokens a block holds, 0 for an eighth of the context, and
    blocks begin anew with every text. Equal to one softmax over s_ij - L_iB + g_iB, L_iB the
    log-sum-exp of the scores within the block and g_iB the score of its landmark, which is how it
    is computed and recorded.
    """

    formula: ClassVar[str] = (
        "A_ij = exp(s_ij) / Z_i in the block of i; "
        "A_ij = (exp(g_iB) / Z_i) exp(s_ij) / Σ_{k∈B} exp(s_ik) in a block B before it; "
        "Z_i = Σ_{k∈B(i), k≤i} exp(s_ik) + Σ_{B<B(i)} exp(g_iB), g_iB = q_i·λ_B / sqrt(d_qk)"
    )
    source: ClassVar[str] = "Mohtashami and Jaggi 2023 (2305.16300), section 3.1: grouped softmax"
    ours: ClassVar[str] = (
        "a landmark is no token of the text: its key is λ_B = Σ_j softmax_j(u·k_j / sqrt(d_qk)) "
        "k_j over the keys of its block ahead of rotary position, turned as the last of them is, "
        "u learned for every key head; it has no stream, no value and no query; all blocks are "
        "read, none is retrieved"
    )
    of_blocks: ClassVar[bool] = True

    block: Annotated[int, Field(ge=0, le=1 << 24)] = 0

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the vectors that pool keys."""
        del layer, linear
        return shape.kv_heads * shape.qk_dim

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return the pooling, the landmarks' scores, and the sums and terms of past blocks.

        Scores of past blocks are formed twice, for their sums and for the weights.
        """
        del layer
        size = size_of(self.block, shape)
        pair = size * (2.0 * shape.qk_dim + 1)
        each = 2 * shape.qk_dim + 1 + pair
        return (
            4.0 * shape.kv_heads * shape.qk_dim
            + shape.heads * mean_past(size, length_of(keys)) * each
        )

    def build(self, shape: Shape) -> nn.Module:
        """Return the module that makes the rule within a block."""
        return SoftmaxModule(shape)

    def past(self, shape: Shape) -> nn.Module:
        """Return the module that weighs past blocks."""
        return LandmarkModule(shape, size_of(self.block, shape))


@final
class LandmarkModule(nn.Module):
    """Pools the keys of every whole block into a landmark."""

    normal = ("queries",)

    def __init__(self, shape: Shape, size: int) -> None:
        super().__init__()
        self.size = size
        self.queries = nn.Parameter(torch.zeros(shape.kv_heads, shape.qk_dim))

    def forward(self, rule: Rule, heads: PlacedHeads) -> Rule:
        """Return the rule with a term for every query and past block."""
        blocks = WholeBlocks.of(rule.segments, heads.key, self.size)
        if not blocks.count:
            return blocks.none_weighed(rule, heads.turned_query)
        with torch.autocast(heads.key.device.type, enabled=False):
            full, scale = heads.in_full(), rule.scale
            held, queries = blocks.held(full.key), self.queries.to(full.key.dtype)
            shares = scale * torch.einsum("bkphd,hd->bkph", held, queries)
            pooled = torch.einsum("bkph,bkphd->bkhd", shares.softmax(dim=2), held)
            landmarks = blocks.standing(pooled, full.rotation)
            keys = blocks.turned_keys(full)
            sums = block_sums(
                full.turned_query.transpose(1, 2),
                keys.permute(0, 3, 1, 2, 4),
                scale,
                first=blocks.first,
            )
            return blocks.weighed(rule, gates(full.turned_query, landmarks, scale) - sums)
