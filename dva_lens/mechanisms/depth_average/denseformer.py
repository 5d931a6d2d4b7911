"""DenseFormer: the depth-weighted average of residual streams."""

from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dva_lens.mechanisms.depth_average import DepthAverage
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost
from dva_lens.validation import Count


@final
class DenseFormer(DepthAverage, frozen=True):
    """After a block, a learned average of all streams so far, the embedding among them.

    Starts as the identity. `dilation` skips streams, `period` skips blocks.
    """

    formula: ClassVar[str] = "Y_i = Σ_j α_ij X_j, X_0 the embedding, X_i what block i returns"
    source: ClassVar[str] = "Pagliardini et al. 2024 (2402.02622), eq. 1"

    dilation: Count = 1
    period: Count = 1

    def streams(self, layer: int) -> tuple[int, ...]:
        """Return which streams are averaged after a layer, latest first; 0 is the embedding."""
        if (layer + 1) % self.period:
            return ()
        return tuple(range(layer + 1, -1, -self.dilation))

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return one weight per stream averaged."""
        del shape, linear
        return len(self.streams(layer))

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return a product and a sum per stream and channel."""
        del keys
        return 2.0 * shape.width * len(self.streams(layer))

    def build(self, shape: Shape, layer: int) -> nn.Module:
        """Return the module."""
        del shape
        return DenseFormerModule(self.streams(layer))


Stream = Float[Tensor, "batch position width"]


@final
class DenseFormerModule(nn.Module):
    """Average the streams before and after a block with those of the blocks before it."""

    def __init__(self, streams: tuple[int, ...]) -> None:
        super().__init__()
        self.streams = streams
        start = torch.zeros(len(streams))
        start[:1] = 1.0
        self.weight = nn.Parameter(start)

    def forward(
        self, before: Stream, after: Stream, state: tuple[Tensor, ...] | None
    ) -> tuple[Stream, tuple[Tensor, ...]]:
        """Return what the next block receives, and all streams that blocks returned so far."""
        history = (*((before,) if state is None else state), after)
        if not self.streams:
            return after, history
        chosen = torch.stack([history[place] for place in self.streams], dim=-1)
        return chosen @ self.weight.to(chosen.dtype), history
