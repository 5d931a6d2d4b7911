"""How scores become weights."""

from dataclasses import dataclass
from math import log
from typing import Any, ClassVar, final

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, Variant


@final
@dataclass(frozen=True)
class Softmax(Variant):
    """Weights of a query are positive and sum to one."""

    formula: ClassVar[str] = "A_ij = exp(s_ij) / Σ_k exp(s_ik), s = q·k / sqrt(d_qk)"
    source: ClassVar[str] = "Vaswani et al. 2017 (1706.03762), eq. 1"

    def build(self, shape: Shape) -> Any:
        """Return the module that makes the rule."""
        from dva_lens.mechanisms.weights.parts import Rule

        return Rule(shape)


@final
@dataclass(frozen=True)
class Sigmoid(Variant):
    """Every weight stands by itself; rows do not sum to one.

    `bias` of None is minus the log of the context, so that a row starts with a mass near one.
    """

    formula: ClassVar[str] = "A_ij = σ(s_ij + b), b = −log n"
    source: ClassVar[str] = "Ramapuram et al. 2024 (2409.04431): b = −log n, not learned"
    ours: ClassVar[str] = "n is the context; no LayerScale, no norm on queries and keys"

    bias: float | None = None

    def build(self, shape: Shape) -> Any:
        """Return the module that makes the rule."""
        from dva_lens.mechanisms.weights.parts import Rule

        bias = -log(shape.context) if self.bias is None else self.bias
        return Rule(shape, bias=bias, normaliser="sigmoid")


@final
@dataclass(frozen=True)
class SoftmaxOffByOne(Variant):
    """Softmax over the keys and one virtual key of logit 0 without a value."""

    formula: ClassVar[str] = "A_ij = exp(s_ij) / (1 + Σ_k exp(s_ik))"
    source: ClassVar[str] = "Miller 2023, Attention Is Off By One"

    def build(self, shape: Shape) -> Any:
        """Return the module that makes the rule."""
        from dva_lens.mechanisms.weights.parts import ZeroSink

        return ZeroSink(shape)


@final
@dataclass(frozen=True)
class LearnedSink(Variant):
    """Softmax over the keys and one virtual key per head, of learned logit and without a value."""

    formula: ClassVar[str] = "A_ij = exp(s_ij) / (exp(S_h) + Σ_k exp(s_ik))"
    source: ClassVar[str] = "gpt-oss (OpenAI 2025, 2508.10925), `sdpa` of its reference code"

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return one logit per head."""
        del layer, linear
        return shape.heads

    def build(self, shape: Shape) -> Any:
        """Return the module that makes the rule."""
        from dva_lens.mechanisms.weights.parts import TrainedSink

        return TrainedSink(shape)


WeightRule = Softmax | Sigmoid | SoftmaxOffByOne | LearnedSink

WEIGHTS: dict[str, type[WeightRule]] = {
    "softmax": Softmax,
    "sigmoid": Sigmoid,
    "softmax-off-by-one": SoftmaxOffByOne,
    "learned-sink": LearnedSink,
}
