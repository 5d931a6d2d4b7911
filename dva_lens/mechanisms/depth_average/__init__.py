"""What a block receives besides the stream of the block before it."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, Variant


@final
@dataclass(frozen=True)
class NoAverage(Variant):
    """The stream of the block before, and nothing else."""

    formula: ClassVar[str] = "Y_i = X_i"
    source: ClassVar[str] = "Vaswani et al. 2017 (1706.03762)"

    def build(self, shape: Shape, layer: int) -> None:
        """Return nothing."""
        del shape, layer


@final
@dataclass(frozen=True)
class DenseFormer(Variant):
    """After a block, a learned average of all streams so far, the embedding among them.

    Starts as the identity. `dilation` skips streams, `period` skips blocks.
    """

    formula: ClassVar[str] = "Y_i = Σ_j α_ij X_j, X_0 the embedding, X_i what block i returns"
    source: ClassVar[str] = "Pagliardini et al. 2024 (2402.02622), eq. 1"

    dilation: int = 1
    period: int = 1

    def check(self, shape: Shape) -> None:
        """Refuse steps that are no steps."""
        del shape
        for name in ("dilation", "period"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")

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

    def build(self, shape: Shape, layer: int) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.depth_average.parts import Average

        del shape
        return Average(self.streams(layer))


DepthAverage = NoAverage | DenseFormer

DEPTH_AVERAGES: dict[str, type[DepthAverage]] = {
    "none": NoAverage,
    "denseformer": DenseFormer,
}
