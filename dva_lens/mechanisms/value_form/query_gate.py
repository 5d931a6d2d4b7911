"""A gate on values that the query decides alone."""

from typing import ClassVar, final

import torch
from torch import nn

from dva_lens.kernels.values import QueryGated, Values
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.value_form import ABSTRACT, FORM_OURS, ValueForm
from dva_lens.mechanisms.value_form.form import (
    FormModule,
    HeadMap,
    Key,
    Operands,
    Query,
    Value,
    heads_first,
)
from dva_lens.mechanisms.variant import LinearCost


@final
class QueryGate(ValueForm, frozen=True):
    """The query scales the channels of every value alike: the same as a gate afterwards."""

    formula: ClassVar[str] = "v_ij = 2σ(W_g q_i) ∘ v_j, W_g starts at 0"
    source: ClassVar[str] = f"control; {ABSTRACT}"
    ours: ClassVar[str] = FORM_OURS
    pairing: ClassVar[str] = "no: collapses into a gate after attention"
    reads_query: ClassVar[bool] = True

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the map of the gate."""
        del layer, linear
        return shape.heads * shape.qk_dim * shape.value_dim

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return the map, its nonlinearity, and two products per channel."""
        del layer, keys
        return shape.heads * shape.value_dim * (2.0 * shape.qk_dim + 3)

    def build(self, shape: Shape) -> nn.Module:
        """Return the module."""
        return QueryGateModule(shape)


@final
class QueryGateModule(FormModule):
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
        return QueryGated(heads_first(operands["query"]), heads_first(operands["value"]))
