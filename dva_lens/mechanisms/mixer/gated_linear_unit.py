"""A gated linear unit where attention would be."""

from typing import Annotated, ClassVar, final

from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import gelu

from dva_lens.mechanisms.gated import gated_flops, gated_parameters
from dva_lens.mechanisms.mixer import TokenMixer
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, LinearFactory


@final
class GatedLinearUnit(TokenMixer, frozen=True):
    """A gated linear unit of the token itself: no token reads another one.

    `hidden` of 0 is 4/3 of the width, rounded up: the parameters of the four maps of attention.
    """

    formula: ClassVar[str] = "y_i = W₃ (gelu(W₁ x_i) ∘ W₂ x_i)"
    source: ClassVar[str] = "Activator, Abdullah and Aydin 2024 (2405.15953) and its code"
    ours: ClassVar[str] = "causal models; no norms within the unit; the hidden width"

    hidden: Annotated[int, Field(ge=0)] = 0

    def inner(self, shape: Shape) -> int:
        """Return the hidden width."""
        return self.hidden or -(-4 * shape.width // 3)

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the parameters of one layer."""
        del layer
        return gated_parameters(shape.width, self.inner(shape), linear)

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return three products, a nonlinearity and a gate."""
        del layer, keys
        return gated_flops(shape.width, self.inner(shape))

    def build(self, shape: Shape, linear: LinearFactory) -> nn.Module:
        """Return the module."""
        return GatedLinearUnitModule(shape.width, self.inner(shape), linear)


Stream = Float[Tensor, "batch position width"]


@final
class GatedLinearUnitModule(nn.Module):
    """W₃ (gelu(W₁ x) ∘ W₂ x)."""

    def __init__(self, width: int, inner: int, linear: LinearFactory) -> None:
        super().__init__()
        self.gate, self.up = linear(width, inner), linear(width, inner)
        self.out = linear(inner, width)

    def forward(self, stream: Stream, segments: Int[Tensor, "batch position"] | None) -> Stream:
        """Return what the layer writes."""
        del segments
        return self.out(gelu(self.gate(stream)) * self.up(stream))
