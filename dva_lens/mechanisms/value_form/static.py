"""The value of a key as it is."""

from typing import ClassVar, final

from torch import nn

from dva_lens.kernels.values import Static, Values
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.value_form import ValueForm
from dva_lens.mechanisms.value_form.form import (
    FormModule,
    Key,
    Operands,
    Query,
    Value,
    heads_first,
)


@final
class StaticValue(ValueForm, frozen=True):
    """Every query receives the same value."""

    formula: ClassVar[str] = "v_ij = v_j"
    source: ClassVar[str] = "Vaswani et al. 2017 (1706.03762)"
    of_key: ClassVar[bool] = True
    pairing: ClassVar[str] = "no"

    def build(self, shape: Shape) -> nn.Module:
        """Return the module."""
        del shape
        return StaticValueModule()


@final
class StaticValueModule(FormModule):
    """v_ij = v_j."""

    def operands(self, query: Query, key: Key, value: Value) -> Operands:
        """Return the value."""
        del query, key
        return {"value": value}

    def values(self, operands: Operands) -> Values:
        """Return what attention mixes."""
        return Static(heads_first(operands["value"]))
