"""The forward of every model, with gradients: as fast as torch allows, and never N² memory."""

from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.blocked.attention import blocked_attention
from dva_lens.kernels.blocked.composed import composed_attention
from dva_lens.kernels.blocked.forms import as_heads, mixer_of, operands_of
from dva_lens.kernels.blocked.mixers import Mixer, StaticMixer
from dva_lens.kernels.fused.gradients import attend_pairwise, runs
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import CollapsingValues, Pairwise, Values

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
Output = Float[Tensor, "batch head query value_width"]
Attend = Callable[[Tensor, Tensor, Values, Rule], Tensor]


def attend(query: Query, key: Key, values: Values, rule: Rule) -> Output:
    """Return sum_j p_ij v_ij of every query; differentiable in every tensor it is given.

    Softmax over causal or all keys, with or without a sink, is torch's fused attention; every
    other rule, and every value that depends on the pair, runs in blocks that are recomputed for
    the gradients, and so do heads that are composed. GELU(a_i + b_j) on a GPU with Triton runs in
    the fused kernels.

    Raises
    ------
    TypeError
        No kernel mixes values of this type, with this rule.
    """
    if rule.composition is not None:
        return _composed(query, key, values, rule)
    if isinstance(values, Pairwise) and runs(query, values, rule):
        return attend_pairwise(query, key, values, rule)
    if not isinstance(values, CollapsingValues):
        mixer, wide = mixer_of(values), torch.promote_types(query.dtype, torch.float32)
        operands = operands_of(values, query.shape[1], wide)
        return _blocked(query, key, operands, rule, mixer=mixer)[0]
    if not fits_torch(rule, query.shape[2]):
        mixed, row_mass = _blocked(query, key, [values.static], rule, mixer=StaticMixer())
        return values.finish(mixed, None if sums_to_one(rule) else row_mass)
    if rule.sink is None:
        return values.finish(torch_attention(query, key, values.static, rule), None)
    return values.finish(*_with_sink(query, key, values.static, rule))


def fits_torch(rule: Rule, length: int) -> bool:
    """Say whether torch's fused attention knows the rule without a mask of N² entries."""
    return (
        rule.normaliser == "softmax"
        and rule.softcap is None
        and rule.decay is None
        and rule.query_terms is None
        and rule.text_blocks is None
        and rule.composition is None
        and rule.similarity == "exponential"
        and not isinstance(rule.bias, Tensor)
        and rule.closed
        and (rule.window is None or rule.window >= length)
    )


def sums_to_one(rule: Rule) -> bool:
    """Say whether every row is sure to sum to one: nothing takes weight, none sees nothing."""
    whole = rule.sink is None and rule.fade is None
    return rule.normaliser == "softmax" and whole and rule.closed


def torch_attention(
    query: Query, key: Key, value: Float[Tensor, "batch kv_head key value_width"], rule: Rule
) -> Output:
    """Call torch's fused attention, which wants queries and values of one width."""
    width = max(query.shape[-1], value.shape[-1])
    query, key, value_wide = (
        F.pad(each, (0, width - each.shape[-1])) if each.shape[-1] < width else each
        for each in (query, key, value)
    )
    mixed = F.scaled_dot_product_attention(
        query,
        key,
        value_wide,
        is_causal=rule.causal,
        scale=rule.scale,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return mixed[..., : value.shape[-1]]


def _with_sink(
    query: Query, key: Key, value: Float[Tensor, "batch kv_head key value_width"], rule: Rule
) -> tuple[Output, Float[Tensor, "batch head query"]]:
    """Put the sink in front as a virtual key with no value, and a query whose output is dropped.

    One more channel holds the sink on the side of the queries and marks the virtual key; one
    more channel of the values is 1 for every real key, so that the row mass comes along.
    """
    sink = (cast("Tensor", rule.sink) - _number(rule.bias)) / rule.scale
    batch, heads, length, _ = query.shape
    beside = sink.to(query.dtype)[None, :, None, None].expand(batch, heads, length, 1)
    query = F.pad(torch.cat([query, beside], dim=-1), (0, 0, 1, 0))
    key = F.pad(key, (0, 1, 1, 0))
    key[:, :, 0, -1] = 1.0
    value = F.pad(F.pad(value, (0, 1), value=1.0), (0, 0, 1, 0))
    mixed = torch_attention(query, key, value, rule)[:, :, 1:]
    return mixed[..., :-1], mixed[..., -1]


def _composed(query: Query, key: Key, values: Values, rule: Rule) -> Output:
    """Compose all heads of a few rows at a time, in at least float32 whatever autocast says."""
    if not isinstance(values, CollapsingValues):
        raise TypeError(
            f"Heads that compose their weights mix values of keys, got values of type "
            f"{type(values).__name__}, which depend on the pair."
        )
    dtype, wide = query.dtype, torch.promote_types(query.dtype, torch.float32)
    with torch.autocast(query.device.type, enabled=False):
        query, key, value = (each.to(wide) for each in (query, key, values.static))
        mixed, row_mass = composed_attention(query, key, value, rule)
    return values.finish(mixed.to(dtype), row_mass.to(dtype))


def _number(bias: float | Tensor) -> float:
    return cast("float", bias)


def _blocked(
    query: Query, key: Key, operands: list[Tensor], rule: Rule, *, mixer: Mixer
) -> tuple[Output, Float[Tensor, "batch head query"]]:
    """Run in blocks, in at least float32 whatever autocast says."""
    heads, dtype = query.shape[1], query.dtype
    wide = torch.promote_types(dtype, torch.float32)
    with torch.autocast(query.device.type, enabled=False):
        query, key, *operands = (
            as_heads(each, heads).to(wide) for each in (query, key, *operands)
        )
        mixed, row_mass = blocked_attention(query, key, operands, rule, mixer=mixer)
    return mixed.to(dtype), row_mass.to(dtype)
