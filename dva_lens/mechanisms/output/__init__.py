"""What happens to the attended values before the output projection."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, LinearFactory, Variant


@final
@dataclass(frozen=True)
class PlainOutput(Variant):
    """Nothing: heads go to the output projection as they are."""

    formula: ClassVar[str] = "o_i = Σ_j A_ij v_ij"
    source: ClassVar[str] = "Vaswani et al. 2017 (1706.03762)"

    def build(self, shape: Shape, layer: int, linear: LinearFactory) -> None:
        """Return nothing."""
        del shape, layer, linear


@final
@dataclass(frozen=True)
class Neutreno(Variant):
    """A skip from the first layer's values to the output, from the second layer on.

    The skip does not go through the attention: it is λ times what the query's own position has
    in the first layer more than here.
    """

    formula: ClassVar[str] = "o_n = A_n V_n + λ (V_1 − V_n), n ≥ 2"
    source: ClassVar[str] = "Nguyen et al. 2023 (2312.00751); λ = 0.4 for language models"
    ours: ClassVar[str] = "V is the value after a mix and before a value form"

    strength: float = 0.4

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return a difference, a product and a sum per channel."""
        del keys
        return 3.0 * shape.heads * shape.value_dim if layer else 0.0

    def build(self, shape: Shape, layer: int, linear: LinearFactory) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.output.parts import Skip

        del linear
        return Skip(self.strength, shape.heads // shape.kv_heads, first=layer == 0)


@final
@dataclass(frozen=True)
class HeadGate(Variant):
    """A sigmoid gate on the output of each head, read from the same token's block input.

    `per` says whether each channel of a head has a gate of its own, or the head has one.
    """

    formula: ClassVar[str] = "o_i ← o_i ∘ σ(W_g x_i), x after the norm"
    source: ClassVar[str] = "Qiu et al. 2025 (2505.06708), gate G1"

    per: Literal["channel", "head"] = "channel"

    def check(self, shape: Shape) -> None:
        """Refuse an unknown granularity."""
        del shape
        if self.per not in ("channel", "head"):
            raise ValueError(f"per must be 'channel' or 'head', got {self.per!r}.")

    def gates(self, shape: Shape) -> int:
        """Return how many gates a token has."""
        return shape.heads * (shape.value_dim if self.per == "channel" else 1)

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the weights of the gate."""
        del layer
        return linear(shape.width, self.gates(shape))

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return the product that makes the gates, a nonlinearity each, and the gating."""
        del layer, keys
        gates = self.gates(shape)
        return (2.0 * shape.width + 1) * gates + shape.heads * shape.value_dim

    def build(self, shape: Shape, layer: int, linear: LinearFactory) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.output.parts import Gate

        del layer
        return Gate(linear(shape.width, self.gates(shape)), shape.heads)


Output = PlainOutput | Neutreno | HeadGate

OUTPUTS: dict[str, type[Output]] = {
    "plain": PlainOutput,
    "neutreno": Neutreno,
    "head-gate": HeadGate,
}
