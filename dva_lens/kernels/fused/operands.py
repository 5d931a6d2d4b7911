"""How values reach the kernels: what is mixed, and what says how large each pair's value is."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.values import PairGated, Pairwise, QueryGated, Separable, Static, Values

PerKey = Float[Tensor, "batch kv_head key value_width"]
PerQuery = Float[Tensor, "batch head query value_width"]

NORMED, PRODUCTS, PAIRWISE, GATED = 0, 1, 2, 3
"""How a kernel reads values: their norms are given per key; their squared norms are the product
of `left` and `right` plus the sizes of both; they are GELU(left + mixed); or they are
2 sigmoid(left * right) * mixed."""


@final
@dataclass(frozen=True)
class Operands:
    """Values laid out for the kernels, in the way `how` says."""

    how: int
    mixed: PerKey
    left: PerQuery | None = None
    right: PerKey | None = None
    left_sizes: Float[Tensor, "batch head query"] | None = None
    sizes: Float[Tensor, "batch kv_head key"] | None = None


def operands_of(values: Values, *, measure: bool = True) -> Operands:
    """Lay out the values of a form; without measuring, only what the output needs.

    Raises
    ------
    TypeError
        No kernel reads values of this type.
    """
    if isinstance(values, Pairwise):
        return Operands(PAIRWISE, values.key_part, left=values.query_part)
    if isinstance(values, PairGated):
        return Operands(GATED, values.value, left=values.left, right=values.right)
    if not measure and isinstance(values, (Static, QueryGated, Separable)):
        return Operands(NORMED, values.static)
    if isinstance(values, Static):
        norm = torch.linalg.vector_norm(values.value, dim=-1, dtype=torch.float32)
        return Operands(NORMED, values.value, sizes=norm)
    if isinstance(values, QueryGated):
        gate, value = values.gate.float(), values.value.float()
        nothing = gate.new_zeros(1)
        return Operands(
            PRODUCTS,
            values.value,
            left=gate.square(),
            right=value.square(),
            left_sizes=nothing.expand(gate.shape[:-1]),
            sizes=nothing.expand(value.shape[:-1]),
        )
    if isinstance(values, Separable):
        branch, part = values.query_part.float(), values.key_part.float()
        return Operands(
            PRODUCTS,
            values.key_part,
            left=2 * branch,
            right=part,
            left_sizes=branch.square().sum(dim=-1),
            sizes=part.square().sum(dim=-1),
        )
    raise TypeError(f"No kernel reads values of type {type(values).__name__}.")
