"""How large the parts of a value are, and how far rounding takes a value by itself."""

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.interacting import Interacting
from dva_lens.kernels.nonlinearity import phi
from dva_lens.kernels.values import (
    ExpertGated,
    Experts,
    PairGated,
    Pairwise,
    QueryGated,
    Relative,
    Separable,
    Static,
    Values,
    per_query_head,
)

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
PairSizes = Float[Tensor, "batch head query key value_width"]

STEPS = 16
"""Roundings between a product and a weight: scale, cap, bias, change of base, exponential."""


def value_sizes(values: Values, heads: int) -> tuple[PairSizes, PairSizes]:
    """Return the absolute sizes of what makes each v_ij, and its own error in unit roundoffs.

    Raises
    ------
    TypeError
        No error is known for values of this type.
    """
    match values:
        case Static():
            size = of_keys(values.value, heads).abs()
            size = size.expand(-1, -1, size.shape[3], -1, -1)
            return size, torch.zeros_like(size)
        case QueryGated() | ExpertGated() | Separable() | Relative():
            size = _of_absolute(values, heads)
            return size, 2 * size
        case Pairwise():
            hidden = of_queries(values.query_part) + of_keys(values.key_part, heads)
            return phi(hidden).abs(), 8 * hidden.abs()
        case Interacting():
            value = of_keys(values.value, heads).abs()
            size, loss = value_sizes(Pairwise(values.query_part, values.key_part), heads)
            return size + value, loss + 2 * (size + value)
        case PairGated():
            inside = (of_queries(values.left) * of_keys(values.right, heads)).abs()
            size = 2 * torch.sigmoid(inside) * of_keys(values.value, heads).abs()
            return size, size * (inside + STEPS)
        case Experts():
            return _expert_sizes(values, heads)
        case _:
            raise TypeError(f"No error is known for values of type {type(values).__name__}.")


def _of_absolute(values: Values, heads: int) -> PairSizes:
    """Return the values that operands without their signs make; for sums and products alone."""
    operands = {name: each.abs() for name, each in vars(values).items()}
    first = next(iter(operands.values()))
    place = torch.arange(first.shape[2], device=first.device)
    return type(values)(**operands).pairs(place, place, heads)


def _expert_sizes(values: Experts, heads: int) -> tuple[PairSizes, PairSizes]:
    left, right = values.left, per_query_head(values.right, heads)
    width, experts = left.shape[-1], left.shape[-2]
    product = torch.einsum("bhqrm,bhkrm->bhqkr", left, right) * width**-0.5
    inside = torch.einsum("bhqrm,bhkrm->bhqkr", left.abs(), right.abs()) * width**-0.5
    value = per_query_head(values.value, heads).abs()
    size = torch.einsum("bhqkr,bhkrd->bhqkd", torch.softmax(product, dim=-1), value)
    stunit = 2 * (width + STEPS) * inside.amax(dim=-1, keepdim=True) + experts + STEPS
    return size, stunit * size


def of_queries(operand: Query) -> Float[Tensor, "batch head query 1 width"]:
    """Return what belongs to queries, ready to meet keys."""
    return operand[:, :, :, None]


def of_keys(operand: Key, heads: int) -> Float[Tensor, "batch head 1 key width"]:
    """Return what belongs to keys, ready to meet queries."""
    return per_query_head(operand, heads)[:, :, None]
