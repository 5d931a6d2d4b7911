"""Whether the value of a key is the same for every query, and if not, what it depends on.

That a value is decided for each query is the claim of Dynamic Value Attention (2512.22212); its
abstract gives no formula. All forms here are therefore ours, and none is a reproduction. φ is
GELU, B is folded into W_V, and q and k are taken before rotary position.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, final

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, Variant

ABSTRACT = "idea: abstract of 2512.22212; form: ours"
FORM_OURS = "the whole form of v_ij, its start and its width"


class ValueForm(Variant):
    """A form says how many vectors a value holds, and what has to be kept of a key."""

    paired: ClassVar[bool] = False
    """Whether v_ij depends on the pair in a way that no change before or after undoes."""

    @property
    def parts(self) -> int:
        """Return how many vectors of the value width a static value holds."""
        return 1

    def cached(self, shape: Shape) -> int:
        """Return the numbers to keep per key and key-value head besides key and value."""
        del shape
        return 0

    @abstractmethod
    def build(self, shape: Shape) -> Any:
        """Return the module."""


@final
@dataclass(frozen=True)
class StaticValue(ValueForm):
    """Every query receives the same value."""

    formula: ClassVar[str] = "v_ij = v_j"
    source: ClassVar[str] = "Vaswani et al. 2017 (1706.03762)"

    def build(self, shape: Shape) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.value_form.parts import StaticForm

        del shape
        return StaticForm()


@final
@dataclass(frozen=True)
class ValueMlp(ValueForm):
    """Control for the nonlinearity: the value goes through φ, and depends on no query."""

    formula: ClassVar[str] = "v_ij = φ(B v_j + b)"
    source: ClassVar[str] = "control"
    ours: ClassVar[str] = FORM_OURS

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the shift."""
        del layer, linear
        return shape.kv_heads * shape.value_dim

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return a shift and a nonlinearity per channel."""
        del layer, keys
        return 2.0 * shape.kv_heads * shape.value_dim

    def build(self, shape: Shape) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.value_form.parts import MlpForm

        return MlpForm(shape)


@final
@dataclass(frozen=True)
class QueryGate(ValueForm):
    """The query scales the channels of every value alike: the same as a gate after attention."""

    formula: ClassVar[str] = "v_ij = 2σ(W_g q_i) ∘ v_j, W_g starts at 0"
    source: ClassVar[str] = f"control; {ABSTRACT}"
    ours: ClassVar[str] = FORM_OURS

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the map of the gate."""
        del layer, linear
        return shape.heads * shape.qk_dim * shape.value_dim

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return the map, its nonlinearity, and two products per channel."""
        del layer, keys
        return shape.heads * shape.value_dim * (2.0 * shape.qk_dim + 3)

    def build(self, shape: Shape) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.value_form.parts import QueryGateForm

        return QueryGateForm(shape)


def _summed_parameters(shape: Shape) -> int:
    per_head = (shape.qk_dim + 1) * shape.value_dim
    return shape.heads * per_head + shape.kv_heads * shape.value_dim


def _summed_map(shape: Shape) -> float:
    mapped = shape.heads * shape.value_dim * (2.0 * shape.qk_dim + 1)
    return mapped + shape.kv_heads * shape.value_dim


@final
@dataclass(frozen=True)
class Separable(ValueForm):
    """Control for pairing: the parameters of the pairwise form, with φ taken of each part.

    Collapses into a branch beside the attention where weights sum to one.
    """

    formula: ClassVar[str] = "v_ij = φ(A q_i + b₁) + φ(B v_j + b₂)"
    source: ClassVar[str] = f"control; {ABSTRACT}"
    ours: ClassVar[str] = FORM_OURS

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the map of the query and both shifts."""
        del layer, linear
        return _summed_parameters(shape)

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return the map, both shifts and nonlinearities, and the branch."""
        del layer, keys
        own = shape.kv_heads * shape.value_dim + 2.0 * shape.heads * shape.value_dim
        return _summed_map(shape) + own

    def build(self, shape: Shape) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.value_form.parts import SummedForm

        return SummedForm(shape, paired=False)


@final
@dataclass(frozen=True)
class PairwiseValue(ValueForm):
    """Query and key meet inside the nonlinearity, so that every pair has a value of its own."""

    formula: ClassVar[str] = "v_ij = φ(A q_i + B v_j + b), b = b₁ + b₂"
    source: ClassVar[str] = ABSTRACT
    ours: ClassVar[str] = FORM_OURS
    paired: ClassVar[bool] = True

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the map of the query and both shifts."""
        del layer, linear
        return _summed_parameters(shape)

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return the map and the shifts, and per pair and channel a sum and a nonlinearity."""
        del layer
        return _summed_map(shape) + 2.0 * keys * shape.heads * shape.value_dim

    def build(self, shape: Shape) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.value_form.parts import SummedForm

        return SummedForm(shape, paired=True)


@final
@dataclass(frozen=True)
class PairGate(ValueForm):
    """Query and key gate each channel together: as many virtual patterns as channels."""

    formula: ClassVar[str] = "v_ij = 2σ((U q_i) ∘ (W k_j)) ∘ v_j, U starts at 0"
    source: ClassVar[str] = ABSTRACT
    ours: ClassVar[str] = FORM_OURS
    paired: ClassVar[bool] = True

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return both maps."""
        del layer, linear
        return (shape.heads + shape.kv_heads) * shape.qk_dim * shape.value_dim

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return both maps; per pair and channel three products and a nonlinearity."""
        maps = 2.0 * self.parameters(shape, layer, lambda inner, outer: inner * outer)
        return maps + 4.0 * keys * shape.heads * shape.value_dim

    def cached(self, shape: Shape) -> int:
        """Return the key's factor, which rotated keys do not give back."""
        return shape.value_dim

    def build(self, shape: Shape) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.value_form.parts import PairGateForm

        return PairGateForm(shape)


@final
@dataclass(frozen=True)
class ExpertValues(ValueForm):
    """Every pair chooses among several values of the key."""

    formula: ClassVar[str] = "v_ij = Σ_r softmax_r((U_r q_i)·(W_r k_j) / √m) v_j^(r)"
    source: ClassVar[str] = ABSTRACT
    ours: ClassVar[str] = FORM_OURS
    paired: ClassVar[bool] = True

    experts: int = 4
    inner: int = 16

    def check(self, shape: Shape) -> None:
        """Refuse a choice that is none."""
        del shape
        if self.experts < 2 or self.inner < 1:
            raise ValueError(
                "experts must be at least 2 and inner at least 1, got "
                f"experts={self.experts}, inner={self.inner}."
            )

    @property
    def parts(self) -> int:
        """Return the number of values that a key offers."""
        return self.experts

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the maps that choose; the values belong to W_V."""
        del layer, linear
        chosen = self.experts * self.inner
        return (shape.heads + shape.kv_heads) * shape.qk_dim * chosen

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return the maps; per pair the choice, and the values beyond the first."""
        maps = 2.0 * self.parameters(shape, layer, lambda inner, outer: inner * outer)
        choice = self.experts * (2.0 * self.inner + 3)
        mixing = 2.0 * (self.experts - 1) * shape.value_dim
        return maps + keys * shape.heads * (choice + mixing)

    def cached(self, shape: Shape) -> int:
        """Return what the key offers to a choice."""
        del shape
        return self.experts * self.inner

    def build(self, shape: Shape) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.value_form.parts import ExpertsForm

        return ExpertsForm(shape, self.experts, self.inner)


VALUE_FORMS: dict[str, type[ValueForm]] = {
    "static": StaticValue,
    "value-mlp": ValueMlp,
    "query-gate": QueryGate,
    "separable": Separable,
    "pairwise": PairwiseValue,
    "pair-gate": PairGate,
    "experts": ExpertValues,
}
