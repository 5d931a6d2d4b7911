"""What a block does to each token by itself."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, LinearFactory, Variant

STEP = 8


def _check_hidden(hidden: int) -> None:
    if hidden < 0:
        raise ValueError(f"hidden must be at least 1, or 0 for the usual width, got {hidden}.")


@final
@dataclass(frozen=True)
class SwiGlu(Variant):
    """A gated hidden layer; `hidden` of 0 is 8/3 of the width, rounded up to a multiple of 8."""

    formula: ClassVar[str] = "W_d (silu(W_g x) ∘ W_u x)"
    source: ClassVar[str] = "Shazeer 2020 (2002.05202), as in LLaMA"
    activation: ClassVar[str] = "silu"

    hidden: int = 0

    def check(self, shape: Shape) -> None:
        """Refuse a negative hidden width."""
        del shape
        _check_hidden(self.hidden)

    def inner(self, shape: Shape) -> int:
        """Return the hidden width."""
        return self.hidden or -(-8 * shape.width // (3 * STEP)) * STEP

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the parameters of one layer."""
        del layer
        inner = self.inner(shape)
        return 2 * linear(shape.width, inner) + linear(inner, shape.width)

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return three products, a nonlinearity and a gate."""
        del layer, keys
        return (6.0 * shape.width + 2) * self.inner(shape)

    def build(self, shape: Shape, linear: LinearFactory) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.feedforward.parts import Gated

        return Gated(shape.width, self.inner(shape), linear)


@final
@dataclass(frozen=True)
class GeluMlp(Variant):
    """One hidden layer under the tanh form of GELU; `hidden` of 0 is four times the width."""

    formula: ClassVar[str] = "W_out gelu(W_in x)"
    source: ClassVar[str] = "GPT-2 (Radford et al. 2019)"
    activation: ClassVar[str] = "gelu_new"

    hidden: int = 0

    def check(self, shape: Shape) -> None:
        """Refuse a negative hidden width."""
        del shape
        _check_hidden(self.hidden)

    def inner(self, shape: Shape) -> int:
        """Return the hidden width."""
        return self.hidden or 4 * shape.width

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the parameters of one layer."""
        del layer
        inner = self.inner(shape)
        return linear(shape.width, inner) + linear(inner, shape.width)

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return two products and a nonlinearity."""
        del layer, keys
        return (4.0 * shape.width + 1) * self.inner(shape)

    def build(self, shape: Shape, linear: LinearFactory) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.feedforward.parts import Plain

        return Plain(shape.width, self.inner(shape), linear)


@final
@dataclass(frozen=True)
class NoFeedforward(Variant):
    """Nothing: the block is its attention."""

    formula: ClassVar[str] = "–"
    source: ClassVar[str] = "the abstract of DVA (2512.22212): it can be removed entirely"
    activation: ClassVar[str] = "relu"
    hidden: ClassVar[int] = 0

    def inner(self, shape: Shape) -> int:
        """Return the hidden width, which is none."""
        del shape
        return 0

    def build(self, shape: Shape, linear: LinearFactory) -> None:
        """Return nothing."""
        del shape, linear


Feedforward = SwiGlu | GeluMlp | NoFeedforward

FEEDFORWARDS: dict[str, type[Feedforward]] = {
    "swiglu": SwiGlu,
    "gelu": GeluMlp,
    "none": NoFeedforward,
}
