"""Full attention factorised: keys of a query's own block one by one, past blocks by summaries."""

from typing import Annotated, ClassVar, final

import torch
from pydantic import Field
from torch import nn

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


@final
class Combiner(AttentionRule, frozen=True):
    """Keys of a past block share its weight in a way that is the same for all queries.

    One softmax is over the keys of the query's own block up to the query and the summaries of the
    blocks before it. How the keys of a past block share its weight is up to that block alone.
    Rows sum to one. `block` is how many tokens a block holds, 0 for an eighth of the context, and
    blocks begin anew with every text.
    """

    formula: ClassVar[str] = (
        "A_ij = exp(s_ij) / Z_i in the block of i; "
        "A_ij = (exp(g_iB) / Z_i) softmax_{j∈B}(θ_B·k_j / sqrt(d_qk)) in a block B before it; "
        "Z_i = Σ_{k∈B(i), k≤i} exp(s_ik) + Σ_{B<B(i)} exp(g_iB), g_iB = q_i·κ_B / sqrt(d_qk), "
        "κ_B = max_{j∈B} k_j and θ_B = max_{j∈B} q_j by channel"
    )
    source: ClassVar[str] = (
        "Combiner-Fixed, Ren et al. 2021 (2107.05768); the maximum by channel as in "
        "`SqrtFixedFullLM` of its code"
    )
    ours: ClassVar[str] = (
        "queries and keys are pooled ahead of rotary position, and what stands for a block is "
        "turned as its last position is; computed pair by pair, so that nothing is saved"
    )
    of_blocks: ClassVar[bool] = True

    block: Annotated[int, Field(ge=0, le=1 << 24)] = 0

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return the pooling, the shares within blocks, the summaries' scores, and their sums."""
        del layer
        size = size_of(self.block, shape)
        pooled = (shape.heads + shape.kv_heads) * shape.qk_dim
        shares = 2.0 * shape.heads * shape.qk_dim
        past = mean_past(size, length_of(keys)) * (2 * shape.qk_dim + size)
        return pooled + shares + shape.heads * past

    def build(self, shape: Shape) -> nn.Module:
        """Return the module that makes the rule within a block."""
        return SoftmaxModule(shape)

    def past(self, shape: Shape) -> nn.Module:
        """Return the module that weighs past blocks."""
        return CombinerModule(size_of(self.block, shape))


@final
class CombinerModule(nn.Module):
    """Pools the queries and the keys of every whole block."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, rule: Rule, heads: PlacedHeads) -> Rule:
        """Return the rule with a term for every query and past block, and one for every key."""
        blocks = WholeBlocks.of(rule.segments, heads.key, self.size)
        if not blocks.count:
            return blocks.none_weighed(rule, heads.turned_query)
        with torch.autocast(heads.key.device.type, enabled=False):
            full, scale = heads.in_full(), rule.scale
            query, key = (
                blocks.standing(blocks.held(each).amax(dim=2), full.rotation)
                for each in (full.query, full.key)
            )
            keys = blocks.turned_keys(full)
            shares = scale * torch.einsum("bkhd,bkphd->bhkp", query, keys)
            return blocks.weighed(
                rule,
                gates(full.turned_query, key, scale),
                keys=blocks.by_key(shares.log_softmax(dim=-1)),
            )
