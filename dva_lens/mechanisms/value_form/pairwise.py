"""A value for every pair: query and key are added before the nonlinearity."""

from typing import ClassVar, final

from torch import Tensor, nn

from dva_lens.kernels.values import Pairwise, Values
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.value_form import ABSTRACT, FORM_OURS, ValueForm
from dva_lens.mechanisms.value_form.form import (
    FormModule,
    HeadMap,
    HeadShift,
    Key,
    Operands,
    Query,
    Value,
    heads_first,
)
from dva_lens.mechanisms.variant import LinearCost


@final
class PairwiseValue(ValueForm, frozen=True):
    """Query and key meet inside the nonlinearity: every pair has its own value."""

    formula: ClassVar[str] = "v_ij = φ(A q_i + B v_j + b), b = b₁ + b₂"
    source: ClassVar[str] = ABSTRACT
    ours: ClassVar[str] = FORM_OURS
    pairing: ClassVar[str] = "yes"
    reads_query: ClassVar[bool] = True
    paired: ClassVar[bool] = True

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the map of the query and both shifts."""
        del layer, linear
        return summand_parameters(shape)

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return the map and the shifts, and per pair and channel a sum and a nonlinearity."""
        del layer
        return summand_flops(shape) + 2.0 * keys * shape.heads * shape.value_dim

    def build(self, shape: Shape) -> nn.Module:
        """Return the module."""
        return PairwiseModule(shape)


def summand_parameters(shape: Shape) -> int:
    """Return the parameters of A q_i + b₁ and of the shift b₂."""
    per_head = (shape.qk_dim + 1) * shape.value_dim
    return shape.heads * per_head + shape.kv_heads * shape.value_dim


def summand_flops(shape: Shape) -> float:
    """Return the operations per token that A q_i + b₁ and the shift b₂ take."""
    mapped = shape.heads * shape.value_dim * (2.0 * shape.qk_dim + 1)
    return mapped + shape.kv_heads * shape.value_dim


class Summands(nn.Module):
    """A q_i + b₁ of the query and B v_j + b₂ of the key.

    The pairwise and the separable form have the same parameters, down to their names; only the
    place of φ differs. The shift b is kept as one part on either side for that reason.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.query_map = HeadMap(shape.heads, shape.qk_dim, shape.value_dim, shift=True)
        self.key_map = HeadShift(shape)

    def summands(self, query: Query, value: Value) -> dict[str, Tensor]:
        """Return both summands, ahead of φ."""
        return {"query": self.query_map(query), "value": self.key_map(value)}


@final
class PairwiseModule(Summands, FormModule):
    """φ of the sum of a query's and a key's part."""

    def operands(self, query: Query, key: Key, value: Value) -> Operands:
        """Return both summands."""
        del key
        return self.summands(query, value)

    def values(self, operands: Operands) -> Values:
        """Return what attention mixes."""
        return Pairwise(heads_first(operands["query"]), heads_first(operands["value"]))
