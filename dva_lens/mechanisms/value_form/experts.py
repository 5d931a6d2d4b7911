"""Several values per key, among which every pair chooses."""

from typing import Annotated, ClassVar, final

from pydantic import Field
from torch import nn

from dva_lens.kernels.values import Experts, Values
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
from dva_lens.validation import Count


@final
class ExpertValues(ValueForm, frozen=True):
    """Every pair chooses among several values of the key."""

    formula: ClassVar[str] = "v_ij = Σ_r softmax_r((U_r q_i)·(W_r k_j) / √m) v_j^(r)"
    source: ClassVar[str] = ABSTRACT
    ours: ClassVar[str] = FORM_OURS
    pairing: ClassVar[str] = "yes: it chooses a value of the key"
    reads_query: ClassVar[bool] = True
    paired: ClassVar[bool] = True

    experts: Annotated[int, Field(ge=2)] = 4
    inner: Count = 16

    @property
    def parts(self) -> int:
        """Return the number of values that a key offers."""
        return self.experts

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the maps that choose; the values belong to W_V."""
        del layer, linear
        chosen = self.experts * self.inner
        return (shape.heads + shape.kv_heads) * shape.qk_dim * chosen

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return the maps; per pair the choice, and the values beyond the first."""
        maps = 2.0 * self.parameters(shape, layer, lambda inner, outer: inner * outer)
        choice = self.experts * (2.0 * self.inner + 3)
        mixing = 2.0 * (self.experts - 1) * shape.value_dim
        return maps + keys * shape.heads * (choice + mixing)

    def cached(self, shape: Shape) -> int:
        """Return what the key offers to a choice."""
        del shape
        return self.experts * self.inner

    def build(self, shape: Shape) -> nn.Module:
        """Return the module."""
        return ExpertsModule(shape, self.experts, self.inner)


@final
class ExpertsModule(FormModule):
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
            heads_first(operands[name]).unflatten(-1, (self.experts, -1))
            for name in ("query", "key", "value")
        )
        return Experts(left, right, value)
