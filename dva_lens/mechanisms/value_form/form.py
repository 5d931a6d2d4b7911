"""What the modules of value forms share: operands that can be hooked, and maps per head.

Queries and keys come in before rotary position; otherwise values would depend on where in the
text a pair stands. W_V holds B of the formulas.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dva_lens.kernels.values import Values
from dva_lens.mechanisms.shape import Shape

Query = Float[Tensor, "batch position head qk"]
Key = Float[Tensor, "batch position kv_head qk"]
Value = Float[Tensor, "batch position kv_head width"]
Operands = Mapping[str, Tensor]
"""`value` per key, and where a form needs them `query` per query and `key` per key."""


@final
@dataclass(frozen=True)
class Stream:
    """The normalised stream of every token, through a linear map that its heads share out."""

    of_query: Callable[[nn.Module], Float[Tensor, "batch position head any_width"]]
    of_key: Callable[[nn.Module], Float[Tensor, "batch position kv_head any_width"]]


class FormModule(nn.Module):
    """What the module of a form does: operands first, so that they can be hooked, then values."""

    def read(self, stream: Stream) -> Operands:
        """Return the operands that are read off the stream itself; by default there are none."""
        del stream
        return {}

    @abstractmethod
    def operands(self, query: Query, key: Key, value: Value) -> Operands:
        """Return what the values are made of, (batch, position, head, width) each."""

    @abstractmethod
    def values(self, operands: Operands) -> Values:
        """Return what attention mixes, heads before positions."""


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
class HeadShift(nn.Module):
    """A learned shift per key-value head."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(shape.kv_heads, shape.value_dim))

    def forward(self, value: Value) -> Value:
        """Return the shifted value."""
        return value + self.bias


def heads_first(
    operand: Float[Tensor, "batch position any_head any_width"],
) -> Float[Tensor, "batch any_head position any_width"]:
    """Return an operand as the kernels take it."""
    return operand.transpose(1, 2)
