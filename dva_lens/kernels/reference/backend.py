"""The backend that forms the whole pattern, in float64: what the other backends answer to."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dva_lens.axes import MANY_KEYS
from dva_lens.kernels.guard import refuse_above
from dva_lens.kernels.inputs import check, check_finite
from dva_lens.kernels.reference import attention as reference
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.summary import Summary
from dva_lens.kernels.values import CollapsingValues, Values

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
Output = Float[Tensor, "batch head query value_width"]
Pattern = Float[Tensor, "batch head query key"]

COPIES = 4
"""How many tensors of one size stand beside each other at the peak."""


@torch.no_grad()
def materialised(query: Query, key: Key, values: Values, rule: Rule) -> tuple[Output, Summary]:
    """Return the output and the summary, read off a pattern and pair values formed in full.

    Raises
    ------
    ValueError
        Shapes do not fit, or query, key or values are not finite.
    MemoryError
        The pairs in full would exceed the budget of memory.
    """
    check(query, key, values, rule)
    _guard(query, key, values)
    dtype = query.dtype
    query, key = query.double(), key.double()
    values = type(values)(**{name: each.double() for name, each in vars(values).items()})
    logits = reference.scores(query, key, rule)
    pattern = reference.normalised(logits, rule)
    queries, keys = (torch.arange(each.shape[2], device=query.device) for each in (query, key))
    sequences = torch.arange(len(query), device=query.device)
    pairs = values.pairs(queries, keys, query.shape[1])
    output = torch.einsum("bhqk,bhqkd->bhqd", pattern, pairs)
    gap = (queries[:, None] - keys).double()
    seen = rule.visible(queries, keys, sequences)[:, 0].expand(len(query), -1, -1)
    many = seen.sum(dim=-1) >= MANY_KEYS
    summary = Summary(
        log_sum_exp=_log_sum_exp(logits, rule),
        entropy=_entropy(pattern, rule),
        square_sum=pattern.square().sum(dim=-1),
        largest=_largest(pattern, seen),
        first_mass=pattern[..., 0],
        self_mass=_diagonal(pattern, 0),
        previous_mass=_diagonal(pattern, 1),
        distance=(pattern * gap).sum(dim=-1),
        row_mass=pattern.sum(dim=-1),
        absolute_mass=pattern.abs().sum(dim=-1),
        rest_mass=pattern[..., 1:].sum(dim=-1),
        rest_entropy=_entropy(pattern[..., 1:], rule),
        rest_distance=(pattern * gap)[..., 1:].sum(dim=-1),
        value_norm=(pattern * pairs.norm(dim=-1)).sum(dim=-1),
        output_norm=output.norm(dim=-1),
        received=pattern.sum(dim=-2),
        late_received=pattern.masked_fill(~many[:, None, :, None], 0.0).sum(dim=-2),
        visible=seen.sum(dim=-1),
        viewers=seen.sum(dim=-2),
    )
    check_finite(summary, query, key, values, rule)
    return output.to(dtype), summary


def _log_sum_exp(logits: Pattern, rule: Rule) -> Float[Tensor, "batch head query"]:
    found = reference.log_normaliser(logits, rule)
    return torch.full_like(found, torch.nan) if rule.normaliser != "softmax" else found


def _entropy(pattern: Pattern, rule: Rule) -> Float[Tensor, "batch head query"]:
    """Return -sum p log p; NaN where heads compose weights, which may be negative."""
    if rule.after is not None:
        return pattern.new_full(pattern.shape[:-1], torch.nan)
    return torch.special.entr(pattern).sum(dim=-1)


def _largest(
    pattern: Pattern, seen: Bool[Tensor, "batch query key"]
) -> Float[Tensor, "batch head query"]:
    """Return the largest weight on a key that is seen, 0 where none is."""
    found = pattern.masked_fill(~seen[:, None], -torch.inf).amax(dim=-1)
    return found.masked_fill(found == -torch.inf, 0.0)


def _diagonal(pattern: Pattern, back: int) -> Float[Tensor, "batch head query"]:
    """Return the weight of each query on the key so many positions back, 0 where there is none."""
    found = pattern.new_zeros(pattern.shape[:-1])
    along = pattern.diagonal(offset=-back, dim1=-2, dim2=-1)
    found[..., back : back + along.shape[-1]] = along
    return found


def _guard(query: Query, key: Key, values: Values) -> None:
    batch, heads, length, _ = query.shape
    first = torch.zeros(1, dtype=torch.long, device=query.device)
    width = values.pairs(first, first, heads).shape[-1]
    static = isinstance(values, CollapsingValues)
    refuse_above(
        COPIES * batch * heads * length * key.shape[2] * (width + 1) * 8,
        f"The reference backend, which forms every {'value' if static else 'pair value'} of "
        f"{batch} x {heads} x {length} x {key.shape[2]} pairs,",
        alternative="choose the backend 'blocked' or 'exact', whose memory is linear in length",
    )
