"""Attention with explicit scores and an explicit pattern, so that hooks can read and edit them."""

import torch
from jaxtyping import Float
from torch import Tensor
from transformer_lens.hook_points import HookPoint

from dva_lens.kernels.reference.attention import normalised, scores
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import CollapsingValues, Values, per_query_head

QUERIES_AT_ONCE = 32


def attend_explicitly(
    query: Float[Tensor, "batch head query width"],
    key: Float[Tensor, "batch kv_head key width"],
    values: Values,
    weights: Rule,
    *,
    hook_scores: HookPoint,
    hook_pattern: HookPoint,
) -> Float[Tensor, "batch head query value_width"]:
    """Return the attended values, from scores and a pattern that pass through their hooks.

    An edited pattern is used as it is; a value that depends on the query is weighted by what the
    row of the edited pattern sums to. Values of pairs are formed for a few queries at a time.
    """
    pattern = hook_pattern(normalised(hook_scores(scores(query, key, weights)), weights))
    if isinstance(values, CollapsingValues):
        mixed = pattern @ per_query_head(values.static, query.shape[1])
        return values.finish(mixed, pattern.sum(-1))
    heads, positions = query.shape[1], torch.arange(query.shape[2], device=query.device)
    return torch.cat(
        [
            torch.einsum(
                "bhqk,bhqkd->bhqd", pattern[:, :, some], values.pairs(some, positions, heads)
            )
            for some in positions.split(QUERIES_AT_ONCE)
        ],
        dim=2,
    )
