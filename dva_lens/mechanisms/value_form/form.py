"""The value forms: operands first, so that they can be hooked, then the kernels' values.

Queries and keys come in before rotary position; otherwise values would depend on where in the
text a pair stands. W_V holds B of the formulas.
"""

from collections.abc import Mapping
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dva_lens.kernels.values import (
    Experts,
    PairGated,
    Pairwise,
    QueryGated,
    Static,
    Summed,
    Values,
    phi,
)
from dva_lens.mechanisms.shape import Shape

Query = Float[Tensor, "batch position head qk"]
Key = Float[Tensor, "batch position kv_head qk"]
Value = Float[Tensor, "batch position kv_head width"]
Operands = Mapping[str, Tensor]
"""`value` per key, and where a form needs them `query` per query and `key` per key."""


@final
class HeadMap(nn.Module):
    """One linear map per head, with a shift if asked."""

    def __init__(
        self, heads: int, inner: int, outer: int, *, shift: bool = False, zero: bool = False
    ) -> None:
        super().__init__()
        self.normal = () if zero else ("weight",)
        self.weight = nn.Parameter(torch.zeros(heads, inner, outer))
        self.bias = nn.Parameter(torch.zeros(heads, outer)) if shift else None

    def forward(
        self, inputs: Float[Tensor, "batch position head inner"]
    ) -> Float[Tensor, "batch position head outer"]:
        """Return the map of each head's input."""
        mapped = torch.einsum("bnhi,hio->bnho", inputs, self.weight)
        return mapped if self.bias is None else mapped + self.bias


@final
class Shift(nn.Module):
    """A learned shift per key-value head."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(shape.kv_heads, shape.value_dim))

    def forward(self, value: Value) -> Value:
        """Return the shifted value."""
        return value + self.bias


def _heads_first(
    operand: Float[Tensor, "batch position any_head any_width"],
) -> Float[Tensor, "batch any_head position any_width"]:
    return operand.transpose(1, 2)


@final
class StaticForm(nn.Module):
    """v_ij = v_j."""

    def operands(self, query: Query, key: Key, value: Value) -> Operands:
        """Return the value."""
        del query, key
        return {"value": value}

    def values(self, operands: Operands) -> Values:
        """Return what attention mixes."""
        return Static(_heads_first(operands["value"]))


@final
class MlpForm(nn.Module):
    """v_ij = φ(v_j + b)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.key_map = Shift(shape)

    def operands(self, query: Query, key: Key, value: Value) -> Operands:
        """Return the value behind the nonlinearity."""
        del query, key
        return {"value": phi(self.key_map(value))}

    def values(self, operands: Operands) -> Values:
        """Return what attention mixes."""
        return Static(_heads_first(operands["value"]))


@final
class QueryGateForm(nn.Module):
    """v_ij = 2σ(W_g q_i) ∘ v_j."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.query_map = HeadMap(shape.heads, shape.qk_dim, shape.value_dim, zero=True)

    def operands(self, query: Query, key: Key, value: Value) -> Operands:
        """Return the gate and the value."""
        del key
        return {"query": 2 * torch.sigmoid(self.query_map(query)), "value": value}

    def values(self, operands: Operands) -> Values:
        """Return what attention mixes, and the gate after it."""
        return QueryGated(_heads_first(operands["query"]), _heads_first(operands["value"]))


@final
class SummedForm(nn.Module):
    """φ of the sum of a query's and a key's part, or the sum of the φ of both.

    The two forms have the same parameters, down to their names; only the place of φ differs.
    The shift b is kept as one part on either side for that reason.
    """

    def __init__(self, shape: Shape, *, paired: bool) -> None:
        super().__init__()
        self.paired = paired
        self.query_map = HeadMap(shape.heads, shape.qk_dim, shape.value_dim, shift=True)
        self.key_map = Shift(shape)

    def operands(self, query: Query, key: Key, value: Value) -> Operands:
        """Return both parts, ahead of φ if it is taken of pairs."""
        del key
        parts = {"query": self.query_map(query), "value": self.key_map(value)}
        return parts if self.paired else {name: phi(part) for name, part in parts.items()}

    def values(self, operands: Operands) -> Values:
        """Return what attention mixes."""
        form = Pairwise if self.paired else Summed
        return form(_heads_first(operands["query"]), _heads_first(operands["value"]))


@final
class PairGateForm(nn.Module):
    """v_ij = 2σ((U q_i) ∘ (W k_j)) ∘ v_j."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.query_map = HeadMap(shape.heads, shape.qk_dim, shape.value_dim, zero=True)
        self.key_map = HeadMap(shape.kv_heads, shape.qk_dim, shape.value_dim)

    def operands(self, query: Query, key: Key, value: Value) -> Operands:
        """Return both factors of the gate, and the value."""
        return {"query": self.query_map(query), "key": self.key_map(key), "value": value}

    def values(self, operands: Operands) -> Values:
        """Return what attention mixes."""
        return PairGated(
            _heads_first(operands["query"]),
            _heads_first(operands["key"]),
            _heads_first(operands["value"]),
        )


@final
class ExpertsForm(nn.Module):
    """v_ij = Σ_r softmax_r((U_r q_i)·(W_r k_j) / √m) v_j^(r)."""

    def __init__(self, shape: Shape, experts: int, inner: int) -> None:
        super().__init__()
        self.experts = experts
        self.query_map = HeadMap(shape.heads, shape.qk_dim, experts * inner)
        self.key_map = HeadMap(shape.kv_heads, shape.qk_dim, experts * inner)

    def operands(self, query: Query, key: Key, value: Value) -> Operands:
        """Return what queries and keys ask of each expert, and the experts' values."""
        return {"query": self.query_map(query), "key": self.key_map(key), "value": value}

    def values(self, operands: Operands) -> Values:
        """Return what attention mixes."""
        left, right, value = (
            _heads_first(operands[name]).unflatten(-1, (self.experts, -1))
            for name in ("query", "key", "value")
        )
        return Experts(left, right, value)
