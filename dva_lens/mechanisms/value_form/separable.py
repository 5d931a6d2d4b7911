"""The pairwise form with its nonlinearity taken apart."""

from typing import ClassVar, final

from torch import nn

from dva_lens.kernels.nonlinearity import phi
from dva_lens.kernels.values import Separable, Values
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.value_form import ABSTRACT, FORM_OURS, ValueForm
from dva_lens.mechanisms.value_form.form import (
    FormModule,
    Key,
    Operands,
    Query,
    Value,
    heads_first,
)
from dva_lens.mechanisms.value_form.pairwise import (
    Summands,
    summand_flops,
    summand_parameters,
)
from dva_lens.mechanisms.variant import LinearCost


@final
class SeparableValue(ValueForm, frozen=True):
    """Control for pairing: the parameters of the pairwise form, with φ of each part.

    Collapses into a branch beside the attention where weights sum to one.
    """

    formula: ClassVar[str] = "v_ij = φ(A q_i + b₁) + φ(B v_j + b₂)"
    source: ClassVar[str] = f"control; {ABSTRACT}"
    ours: ClassVar[str] = FORM_OURS
    pairing: ClassVar[str] = "no: collapses into a branch beside attention"
    reads_query: ClassVar[bool] = True

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the map of the query and both shifts."""
        del layer, linear
        return summand_parameters(shape)

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return the map, both shifts and nonlinearities, and the branch."""
        del layer, keys
        beyond = shape.kv_heads * shape.value_dim + 2.0 * shape.heads * shape.value_dim
        return summand_flops(shape) + beyond

    def build(self, shape: Shape) -> nn.Module:
        """Return the module."""
        return SeparableModule(shape)


@final
class SeparableModule(Summands, FormModule):
    """The sum of φ of a query's part and φ of a key's."""

    def operands(self, query: Query, key: Key, value: Value) -> Operands:
        """Return φ of both summands."""
        del key
        return {name: phi(part) for name, part in self.summands(query, value).items()}

    def values(self, operands: Operands) -> Values:
        """Return what attention mixes."""
        return Separable(heads_first(operands["query"]), heads_first(operands["value"]))
