"""A value that is moved by the distance between query and key."""

from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

from dva_lens.kernels.values import Relative, Values
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
from dva_lens.mechanisms.variant import LinearCost
from dva_lens.validation import Count


@final
class RelativeValues(ValueForm, frozen=True):
    """The distance between query and key moves the value.

    Each distance has a learned vector, and all from `clip` on share one. This is the part of the
    source that belongs to values; its part for keys changes scores, which are another axis. A
    value depends on the pair by position alone, and the output needs no value of a pair: the mass
    at each distance is enough.
    """

    formula: ClassVar[str] = "v_ij = v_j + a_c, c = min(i − j, k)"
    source: ClassVar[str] = "Shaw et al. 2018 (1803.02155), eq. 3"
    ours: ClassVar[str] = (
        "the vectors on the side of the keys (eq. 4) are left out; each head has vectors of its "
        "own, for the distances 0 to k of a causal model; k and their normal start"
    )
    pairing: ClassVar[str] = "by position alone; collapses into the masses at each distance"
    paired: ClassVar[bool] = True

    clip: Count = 16

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the vectors of every head."""
        del layer, linear
        return shape.heads * (self.clip + 1) * shape.value_dim

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return the sum of weights by distance, and what they weigh."""
        del layer
        weighed = 2.0 * (self.clip + 1) * shape.value_dim
        return shape.heads * (keys + weighed + shape.value_dim)

    def build(self, shape: Shape) -> nn.Module:
        """Return the module."""
        return RelativeModule(shape, self.clip)


@final
class RelativeModule(FormModule):
    """v_ij = v_j + a_c; a key after its query, which a causal model never weighs, adds nothing."""

    def __init__(self, shape: Shape, clip: int) -> None:
        super().__init__()
        self.normal = ("weight",)
        self.weight = nn.Parameter(torch.zeros(shape.heads, clip + 1, shape.value_dim))

    @property
    def moves(self) -> Float[Tensor, "1 head distance width"]:
        """Return what each distance adds, from -k to k."""
        return pad(self.weight, (0, 0, self.weight.shape[1] - 1, 0))[None]

    def operands(self, query: Query, key: Key, value: Value) -> Operands:
        """Return the value."""
        del query, key
        return {"value": value}

    def values(self, operands: Operands) -> Values:
        """Return what attention mixes."""
        value = heads_first(operands["value"])
        place = torch.arange(value.shape[2], device=value.device)
        moves = self.moves.to(value.dtype)
        return Relative(value, place.expand(*value.shape[:2], -1), moves)
