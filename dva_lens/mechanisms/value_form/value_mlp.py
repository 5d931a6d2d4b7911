"""The value of a key behind a nonlinearity."""

from typing import ClassVar, final

from torch import nn

from dva_lens.kernels.nonlinearity import phi
from dva_lens.kernels.values import Static, Values
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.value_form import FORM_OURS, ValueForm
from dva_lens.mechanisms.value_form.form import (
    FormModule,
    HeadShift,
    Key,
    Operands,
    Query,
    Value,
    heads_first,
)
from dva_lens.mechanisms.variant import LinearCost


@final
class ValueMlp(ValueForm, frozen=True):
    """Control for the nonlinearity: the value passes through φ and depends on no query."""

    formula: ClassVar[str] = "v_ij = φ(B v_j + b)"
    source: ClassVar[str] = "control"
    ours: ClassVar[str] = FORM_OURS
    of_key: ClassVar[bool] = True
    pairing: ClassVar[str] = "no: a value of the key alone"

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the shift."""
        del layer, linear
        return shape.kv_heads * shape.value_dim

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return a shift and a nonlinearity per channel."""
        del layer, keys
        return 2.0 * shape.kv_heads * shape.value_dim

    def build(self, shape: Shape) -> nn.Module:
        """Return the module."""
        return ValueMlpModule(shape)


@final
class ValueMlpModule(FormModule):
    """v_ij = φ(v_j + b)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.key_map = HeadShift(shape)

    def operands(self, query: Query, key: Key, value: Value) -> Operands:
        """Return the value behind the nonlinearity."""
        del query, key
        return {"value": phi(self.key_map(value))}

    def values(self, operands: Operands) -> Values:
        """Return what attention mixes."""
        return Static(heads_first(operands["value"]))
