"""A gate on each token that a small mixer network makes of it and of the tokens before it."""

from typing import Annotated, ClassVar, final

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import gelu, pad

from dva_lens.mechanisms.mixer import TokenMixer
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, LinearFactory


@final
class GeneratedGate(TokenMixer, frozen=True):
    """A gate on the token's own map, made by mixing it with the tokens before it.

    `reach` counts the tokens that are mixed, the token itself among them. `hidden` of 0 is 3/2 of
    the width: with it the maps have the parameters of the four maps of attention.
    """

    formula: ClassVar[str] = (
        "y_i = (W x_i) ∘ (m_i + W₂ gelu(W₁ m_i)), m_i = x_i + Σ_δ t_δ x_{i−δ}, 0 ≤ δ < reach"
    )
    source: ClassVar[str] = "NiNformer, Abdullah and Aydin 2024 (2403.02411) and its code"
    ours: ClassVar[str] = (
        "the causal form: one weight for each distance in the place of the source's network over "
        "all positions of an image; no norms within the gate; the hidden width"
    )

    reach: Annotated[int, Field(ge=1, le=1 << 12)] = 16
    hidden: Annotated[int, Field(ge=0)] = 0

    def inner(self, shape: Shape) -> int:
        """Return the hidden width."""
        return self.hidden or -(-3 * shape.width // 2)

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the parameters of one layer."""
        del layer
        inner = self.inner(shape)
        maps = linear(shape.width, inner) + linear(inner, shape.width)
        return linear(shape.width, shape.width) + maps + self.reach

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return three products, a nonlinearity, the mixing, a sum and a gate."""
        del layer, keys
        inner, width = self.inner(shape), shape.width
        return 2.0 * width * (width + 2 * inner) + inner + (2 * self.reach + 2) * width

    def build(self, shape: Shape, linear: LinearFactory) -> nn.Module:
        """Return the module."""
        return GeneratedGateModule(shape.width, self.inner(shape), self.reach, linear)


Stream = Float[Tensor, "batch position width"]


@final
class GeneratedGateModule(nn.Module):
    """Multiply a map of each token by a gate that is made of it and of those before it."""

    normal = ("distances",)

    def __init__(self, width: int, inner: int, reach: int, linear: LinearFactory) -> None:
        super().__init__()
        self.out = linear(width, width)
        self.up, self.down = linear(width, inner), linear(inner, width)
        self.distances = nn.Parameter(torch.zeros(reach))

    def forward(self, stream: Stream, segments: Int[Tensor, "batch position"] | None) -> Stream:
        """Return what the layer writes."""
        mixed = self._mixed(stream, segments)
        gate = mixed + self.down(gelu(self.up(mixed)))
        return self.out(stream) * gate

    def _mixed(self, stream: Stream, segments: Int[Tensor, "batch position"] | None) -> Stream:
        """Add to each token those before it in its text, weighed by distance."""
        mixed, length = stream, stream.shape[1]
        for distance, weight in enumerate(self.distances[:length]):
            before = pad(stream[:, : length - distance], (0, 0, distance, 0))
            if segments is not None and distance:
                same = segments[:, distance:] == segments[:, : length - distance]
                before = before * pad(same, (distance, 0))[..., None]
            mixed = mixed + weight * before
        return mixed
