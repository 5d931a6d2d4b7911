"""A value of the key, and beside it what query and value make of each other."""

from typing import ClassVar, final

from torch import nn

from dva_lens.kernels.interacting import Interacting
from dva_lens.kernels.values import Values
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.value_form import ValueForm
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
class QueryValue(ValueForm, frozen=True):
    """A value that query and key make together is added to the value of the key.

    That a function of query and value learns query-aware values, and that they are combined with
    the original ones, is the source's; how, its abstract does not say. Unlike the pairwise form
    this one keeps the static value beside the pair's.
    """

    formula: ClassVar[str] = "v_ij = v_j + φ(A q_i + B v_j + b)"
    source: ClassVar[str] = "idea: abstract of Wu et al. 2020 (2010.03766); form: ours"
    ours: ClassVar[str] = "the function, the sum with the value, the start and the width"
    pairing: ClassVar[str] = "yes"
    reads_query: ClassVar[bool] = True
    paired: ClassVar[bool] = True

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return both maps and the shift."""
        del layer, linear
        of_query = shape.heads * (shape.qk_dim + 1) * shape.value_dim
        return of_query + shape.kv_heads * shape.value_dim**2

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return both maps, and per pair and channel two sums and a nonlinearity."""
        del layer
        of_query = shape.heads * shape.value_dim * (2.0 * shape.qk_dim + 1)
        of_key = 2.0 * shape.kv_heads * shape.value_dim**2
        return of_query + of_key + 3.0 * keys * shape.heads * shape.value_dim

    def cached(self, shape: Shape) -> int:
        """Return the key's part of what is added."""
        return shape.value_dim

    def build(self, shape: Shape) -> nn.Module:
        """Return the module."""
        return QueryValueModule(shape)


@final
class QueryValueModule(FormModule):
    """v_ij = v_j + φ(a_i + b_j), a_i = A q_i + b and b_j = B v_j."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.query_map = HeadMap(shape.heads, shape.qk_dim, shape.value_dim, shift=True)
        self.value_map = HeadMap(shape.kv_heads, shape.value_dim, shape.value_dim)

    def operands(self, query: Query, key: Key, value: Value) -> Operands:
        """Return both summands, ahead of φ, and the value."""
        del key
        return {"query": self.query_map(query), "key": self.value_map(value), "value": value}

    def values(self, operands: Operands) -> Values:
        """Return what attention mixes."""
        return Interacting(*(heads_first(operands[name]) for name in ("query", "key", "value")))
