"""How much the values of an attention differ between queries, in memory linear in length.

Forms that collapse are read off a product with the transposed pattern, values moved by distance
off what keys receive at every distance, and other forms from one look at each of their values.
"""

from dataclasses import dataclass
from functools import partial
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.blocked.forms import as_heads
from dva_lens.kernels.blocked.pair_mixers import OfPair, Stripe
from dva_lens.kernels.blocked.pair_readers import PairReader
from dva_lens.kernels.blocked.pattern import BlockPattern, look_at_blocks
from dva_lens.kernels.blocked.relative import received_by_distance, squared_sizes
from dva_lens.kernels.blocked.threads import Action
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import (
    CollapsingValues,
    ExpertGated,
    QueryGated,
    Relative,
    Separable,
    Static,
    Values,
)

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
PerKey = Float[Tensor, "batch head key value_width"]
Gates = Float[Tensor, "batch head query expert"]
PerHead = Float[Tensor, "batch head"]


@final
@dataclass(frozen=True)
class Moments:
    """What the keys of an attention gave away, by query head.

    `received` is c_j = sum_i p_ij, `mean` the weighted mean sum_i p_ij v_ij / c_j (zero for a key
    that no query weighs) and `power` is sum_ij p_ij |v_ij|².
    """

    received: Float[Tensor, "batch head key"]
    mean: PerKey
    power: PerHead

    @property
    def mean_power(self) -> PerHead:
        """Return sum_j c_j |mean_j|²; what it lacks of the power is how much values differ."""
        return (self.received * self.mean.square().sum(dim=-1)).sum(dim=-1)


def dynamics(query: Query, key: Key, values: Values, rule: Rule) -> tuple[PerHead, PerHead]:
    """Return the power of the values and the power of their means over queries.

    Raises
    ------
    TypeError
        No moments are known for values of this type.
    """
    found = moments(query, key, values, rule)
    return found.power, found.mean_power


def mean_values(query: Query, key: Key, values: Values, rule: Rule) -> PerKey:
    """Return the attention-weighted mean over queries of each key's value.

    Raises
    ------
    TypeError
        No moments are known for values of this type.
    """
    return moments(query, key, values, rule).mean


@torch.no_grad()
def moments(query: Query, key: Key, values: Values, rule: Rule) -> Moments:
    """Return received mass, mean values and power of one attention.

    Raises
    ------
    TypeError
        No moments are known for values of this type, or heads compose weights, which may be
        negative, and values depend on the query.
    """
    if rule.after is not None and not isinstance(values, Static):
        raise TypeError(
            f"Heads compose their weights, some of which may be negative, so no mean over queries "
            f"is known for values of type {type(values).__name__}."
        )
    wide = torch.promote_types(query.dtype, torch.float32)
    with torch.autocast(query.device.type, enabled=False):
        query, key = query.to(wide), key.to(wide)
        if isinstance(values, Relative):
            return _of_distances(query, key, values, rule)
        if not isinstance(values, CollapsingValues):
            return _of_pairs(query, key, values, rule)
        static = as_heads(values.static, query.shape[1]).to(wide)
        if isinstance(values, QueryGated):
            return _of_gates(query, key, values.gate.to(wide), static, rule=rule)
        if isinstance(values, ExpertGated):
            return _of_experts(query, key, values.gate.to(wide), static, rule=rule)
        if isinstance(values, Separable):
            return _of_sums(query, key, values.query_part.to(wide), static, rule=rule)
        if isinstance(values, Static):
            received = _received(query, key, query.new_ones(*query.shape[:3], 1), rule)[..., 0]
            power = (received * static.square().sum(dim=-1)).sum(dim=-1)
            return Moments(received, static, power)
        raise TypeError(f"No moments are known for values of type {type(values).__name__}.")


def _received(
    query: Query, key: Key, given: Float[Tensor, "batch head query feature"], rule: Rule
) -> Float[Tensor, "batch head key feature"]:
    """Return sum_i p_ij f_i, what each key receives of what the queries give."""
    total = given.new_zeros(*given.shape[:2], key.shape[2], given.shape[-1])

    def look(part: BlockPattern) -> Action:
        found = part.weights.mT @ given[part.block.by_query]
        return partial(total[part.block.by_key].add_, found)

    look_at_blocks(query, key, rule, look)
    return total


def _mean(total: PerKey, received: Tensor) -> PerKey:
    return total / received.clamp(min=torch.finfo(received.dtype).tiny)[..., None]


def _of_gates(query: Query, key: Key, gate: PerKey, static: PerKey, *, rule: Rule) -> Moments:
    given = torch.cat([gate, gate.square(), torch.ones_like(gate[..., :1])], dim=-1)
    total = _received(query, key, given, rule)
    received, width = total[..., -1], gate.shape[-1]
    power = (total[..., width:-1] * static.square()).sum(dim=(-2, -1))
    return Moments(received, _mean(total[..., :width] * static, received), power)


def _of_experts(query: Query, key: Key, gate: Gates, static: PerKey, *, rule: Rule) -> Moments:
    power = gate.square().sum(dim=-1, keepdim=True)
    given = torch.cat([gate, power, torch.ones_like(power)], dim=-1)
    total = _received(query, key, given, rule)
    received, pushed = total[..., -1], _mean(total[..., :-2], received=total[..., -1])
    mean = (pushed[..., None] * static[..., None, :]).flatten(-2)
    size = static.square().sum(dim=-1)
    return Moments(received, mean, (total[..., -2] * size).sum(dim=-1))


def _of_sums(query: Query, key: Key, branch: PerKey, static: PerKey, *, rule: Rule) -> Moments:
    size = branch.square().sum(dim=-1, keepdim=True)
    given = torch.cat([branch, size, torch.ones_like(size)], dim=-1)
    total = _received(query, key, given, rule)
    received, pushed = total[..., -1], total[..., :-2]
    power = total[..., -2] + (static * (2 * pushed + received[..., None] * static)).sum(dim=-1)
    return Moments(received, _mean(pushed, received) + static, power.sum(dim=-1))


def _of_distances(query: Query, key: Key, values: Relative, rule: Rule) -> Moments:
    heads, wide = query.shape[1], query.dtype
    by_distance = received_by_distance(query, key, values, rule)
    received = by_distance.sum(dim=-1)
    power = (by_distance * squared_sizes(values, heads, wide)).sum(dim=(-2, -1))
    pushed = by_distance @ values.moves.to(wide)
    static = as_heads(values.value, heads).to(wide)
    return Moments(received, _mean(pushed, received) + static, power)


@final
class PairMoments:
    """Moments of values that depend on the pair, gathered while they are formed."""

    def __init__(self, query: Query, width: int) -> None:
        self.total = query.new_zeros(*query.shape[:3], width)
        self.received = self.total[..., 0].clone()
        self.power = self.total[:, :, 0, 0].clone()

    @classmethod
    def of(cls, query: Query, values: Values) -> "PairMoments":
        """Return what is ready to gather for the values of an attention."""
        last = list(vars(values).values())[-1]
        wide = torch.promote_types(query.dtype, torch.float32)
        return cls(query.new_empty(1, dtype=wide).expand(query.shape), last.shape[-1])

    def weigh(self, part: BlockPattern) -> None:
        """Add what the keys of a block receive."""
        self.received[part.block.by_key] += part.weights.sum(dim=-2)

    def add(self, part: BlockPattern, stripe: Stripe, value: OfPair, size: Tensor) -> None:
        """Add values with their norms; the values are overwritten."""
        block, p = part.block, part.weights[..., stripe.cut]
        self.power[block.batch, block.heads] += (p * size.square()).sum(dim=(-2, -1))
        pushed = value.mul_(p[..., None]).sum(dim=2)
        self.total[block.batch, block.heads, stripe.keys] += pushed

    @property
    def moments(self) -> Moments:
        """Return what was gathered."""
        return Moments(self.received, _mean(self.total, self.received), self.power)


def _of_pairs(query: Query, key: Key, values: Values, rule: Rule) -> Moments:
    reader = PairReader(values, query.shape[1], query.dtype)
    gathered = PairMoments(query, reader.width)

    def look(part: BlockPattern) -> None:
        gathered.weigh(part)
        for stripe, value in reader.formed(part.block):
            gathered.add(part, stripe, value, value.norm(dim=-1))

    look_at_blocks(query, key, rule, look, alone=True)
    return gathered.moments
