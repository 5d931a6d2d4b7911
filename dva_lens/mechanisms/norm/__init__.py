"""How the residual stream is normalised before each branch reads it."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import Variant


@final
@dataclass(frozen=True)
class RmsNorm(Variant):
    """Division by the root mean square, and a gain per channel."""

    formula: ClassVar[str] = "g x / sqrt(mean(x²) + ε)"
    source: ClassVar[str] = "Zhang & Sennrich 2019 (1910.07467), as in LLaMA"
    tag: ClassVar[str] = "RMS"

    epsilon: float = 1e-5

    def weights(self, shape: Shape) -> int:
        """Return the parameters of one norm."""
        return shape.width

    def build(self, shape: Shape) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.norm.parts import Rms

        return Rms(shape.width, self.epsilon)


@final
@dataclass(frozen=True)
class LayerNorm(Variant):
    """Standardisation over channels, with a gain and a shift per channel."""

    formula: ClassVar[str] = "g (x − mean(x)) / sqrt(var(x) + ε) + b"
    source: ClassVar[str] = "Ba et al. 2016 (1607.06450), as in GPT-2"
    tag: ClassVar[str] = "LN"

    epsilon: float = 1e-5

    def weights(self, shape: Shape) -> int:
        """Return the parameters of one norm."""
        return 2 * shape.width

    def build(self, shape: Shape) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.norm.parts import Layer

        return Layer(shape.width, self.epsilon)


Norm = RmsNorm | LayerNorm

NORMS: dict[str, type[Norm]] = {"rms": RmsNorm, "layer": LayerNorm}
