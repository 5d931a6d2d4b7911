"""A gate on each channel that query and key decide together."""

from typing import ClassVar, final

from torch import nn

from dva_lens.kernels.values import PairGated, Values
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
class PairGate(ValueForm, frozen=True):
    """Query and key gate each channel together: as many virtual patterns as channels."""

    formula: ClassVar[str] = "v_ij = 2σ((U q_i) ∘ (W k_j)) ∘ v_j, U starts at 0"
    source: ClassVar[str] = ABSTRACT
    ours: ClassVar[str] = FORM_OURS
    pairing: ClassVar[str] = "yes"
    reads_query: ClassVar[bool] = True
    paired: ClassVar[bool] = True

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return both maps."""
        del layer, linear
        return (shape.heads + shape.kv_heads) * shape.qk_dim * shape.value_dim

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return both maps; per pair and channel three products and a nonlinearity."""
        maps = 2.0 * self.parameters(shape, layer, lambda inner, outer: inner * outer)
        return maps + 4.0 * keys * shape.heads * shape.value_dim

    def cached(self, shape: Shape) -> int:
        """Return the key's factor, which rotated keys do not give back."""
        return shape.value_dim

    def build(self, shape: Shape) -> nn.Module:
        """Return the module."""
        return PairGateModule(shape)


@final
class PairGateModule(FormModule):
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
            heads_first(operands["query"]),
            heads_first(operands["key"]),
            heads_first(operands["value"]),
        )
