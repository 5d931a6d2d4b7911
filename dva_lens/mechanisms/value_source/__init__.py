"""Where the static value of a key comes from: its own layer, the first one, or a table.

A mix happens on the projected values, before heads are split for the attention and on the
key-value heads, so that it composes with shared heads and with every value form.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, final

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, Variant

RESFORMER = "Zhou et al. 2024 (2410.17897)"


class ValueSource(Variant):
    """A source says which layers project values of their own and which mix."""

    def owns(self, shape: Shape, layer: int) -> bool:
        """Say whether the layer has a value projection."""
        del shape, layer
        return True

    def caches(self, shape: Shape, layer: int) -> bool:
        """Say whether generation has to keep the values of the layer."""
        return self.owns(shape, layer)

    def mixes(self, shape: Shape, layer: int) -> bool:
        """Say whether the layer mixes the first layer's values into its own."""
        del shape, layer
        return False

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return two products and a sum per channel where the layer mixes."""
        del keys
        channels = shape.kv_heads * shape.value_dim * shape.value_parts
        return 3.0 * channels * self.mixes(shape, layer)

    @abstractmethod
    def build(self, shape: Shape, layer: int) -> Any:
        """Return the module."""


@final
@dataclass(frozen=True)
class Own(ValueSource):
    """Every layer projects its own values."""

    formula: ClassVar[str] = "V_n = H_{n−1} W_n^V"
    source: ClassVar[str] = "Vaswani et al. 2017 (1706.03762)"

    def build(self, shape: Shape, layer: int) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.value_source.parts import OwnValue

        del shape, layer
        return OwnValue()


def _check_depth(shape: Shape) -> None:
    if shape.layers < 2:
        raise ValueError(f"A mix over depth needs at least 2 layers, got {shape.layers}.")


def _check_layers(layers: tuple[int, ...] | None, shape: Shape) -> None:
    _check_depth(shape)
    if layers is None:
        return
    if not layers or any(not 1 <= layer < shape.layers for layer in layers):
        raise ValueError(
            f"Mixing layers must lie between 1 and {shape.layers - 1} (layers count from 0, and "
            f"the first has nothing to mix in), got layers={list(layers)} for {shape.layers} "
            "layers."
        )


@final
@dataclass(frozen=True)
class FirstLayerMix(ValueSource):
    """The first layer's values are added with fixed weights, in all later layers or in some.

    0.5 and 0.5 is the identity ResFormer, 2 and 1 the constant one, and 5 and 1 in the last
    three of eight layers the sparse one. `layers` count from 0; None stands for all but the first.
    """

    formula: ClassVar[str] = "V'_n = λ₁ V_1 + λ₂ H_{n−1} W_n^V, n ≥ 2"
    source: ClassVar[str] = f"{RESFORMER}, identity, constant and sparse"
    ours: ClassVar[str] = "λ₂ = 1 of the sparse kind, and its layers at depths other than 8"

    first: float = 0.5
    own: float = 0.5
    layers: tuple[int, ...] | None = None

    def check(self, shape: Shape) -> None:
        """Refuse layers that are not there."""
        _check_layers(self.layers, shape)

    def mixes(self, shape: Shape, layer: int) -> bool:
        """Say whether the layer mixes."""
        del shape
        return layer > 0 if self.layers is None else layer in self.layers

    def build(self, shape: Shape, layer: int) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.value_source.parts import FixedMix, PassFirst

        if not self.mixes(shape, layer):
            return PassFirst()
        return FixedMix(self.first, self.own)


@final
@dataclass(frozen=True)
class LearnableMix(ValueSource):
    """Two learned numbers per layer weigh the first layer's values and the own ones."""

    formula: ClassVar[str] = "V'_n = λ_{n,1} V_1 + λ_{n,2} H_{n−1} W_n^V, both learned"
    source: ClassVar[str] = f"{RESFORMER}, learnable"

    first: float = 0.5
    own: float = 0.5

    def check(self, shape: Shape) -> None:
        """Refuse a model in which nothing can mix."""
        _check_depth(shape)

    def mixes(self, shape: Shape, layer: int) -> bool:
        """Say whether the layer mixes."""
        del shape
        return layer > 0

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the two weights."""
        del linear
        return 2 * self.mixes(shape, layer)

    def build(self, shape: Shape, layer: int) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.value_source.parts import LearnedMix, PassFirst

        return LearnedMix(self.first, self.own) if self.mixes(shape, layer) else PassFirst()


@final
@dataclass(frozen=True)
class LearnablePlusMix(ValueSource):
    """Layers compete for the first layer's values: one softmax over depth, scaled by a number."""

    formula: ClassVar[str] = "λ_{n,1} = s · softmax_n(l), s starts at the number of layers"
    source: ClassVar[str] = f"{RESFORMER}, learnable-plus"
    ours: ClassVar[str] = "the logits l start at zero; the source does not give their start"

    own: float = 0.5

    def mixes(self, shape: Shape, layer: int) -> bool:
        """Say whether the layer mixes."""
        del shape
        return layer > 0

    def check(self, shape: Shape) -> None:
        """Refuse a model in which nothing can mix."""
        _check_depth(shape)

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the own weight; the first layer holds the logits and the scale."""
        del linear
        return 1 if layer else shape.layers

    def build(self, shape: Shape, layer: int) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.value_source.parts import DepthShares, SharedMix

        return SharedMix(layer, self.own) if layer else DepthShares(shape.layers)


@final
@dataclass(frozen=True)
class FirstLayerOnly(ValueSource):
    """All layers attend to the values of the first; only it projects values."""

    formula: ClassVar[str] = "V_n = V_1"
    source: ClassVar[str] = f"{RESFORMER}, SVFormer"

    def owns(self, shape: Shape, layer: int) -> bool:
        """Say whether the layer is the first."""
        del shape
        return layer == 0

    def build(self, shape: Shape, layer: int) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.value_source.parts import PassFirst, TakeFirst

        del shape
        return TakeFirst() if layer else PassFirst()


@final
@dataclass(frozen=True)
class TokenTable(ValueSource):
    """In the last layers a value is looked up by the token alone, without any context.

    `layers` count from 0; None stands for the last third.
    """

    formula: ClassVar[str] = "v_j = E_n[t_j] in the last third of the layers"
    source: ClassVar[str] = "2606.02780, context-free values"
    ours: ClassVar[str] = "one table per layer, as wide as its values; no projection beside it"

    layers: tuple[int, ...] | None = None

    def check(self, shape: Shape) -> None:
        """Refuse layers that are not there."""
        wrong = [layer for layer in self.layers or () if not 0 <= layer < shape.layers]
        if wrong:
            raise ValueError(
                f"Table layers must lie between 0 and {shape.layers - 1}, got {wrong} for "
                f"{shape.layers} layers."
            )

    def looks_up(self, shape: Shape, layer: int) -> bool:
        """Say whether the layer takes its values from a table."""
        if self.layers is None:
            return layer >= shape.layers - -(-shape.layers // 3)
        return layer in self.layers

    def owns(self, shape: Shape, layer: int) -> bool:
        """Say whether the layer projects its values."""
        return not self.looks_up(shape, layer)

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the table."""
        del linear
        size = shape.kv_heads * shape.value_dim * shape.value_parts
        return shape.vocabulary * size * self.looks_up(shape, layer)

    def build(self, shape: Shape, layer: int) -> Any:
        """Return the module."""
        from dva_lens.mechanisms.value_source.parts import OwnValue, Table

        if not self.looks_up(shape, layer):
            return OwnValue()
        return Table(shape.vocabulary, shape.kv_heads, shape.value_parts * shape.value_dim)


VALUE_SOURCES: dict[str, type[ValueSource]] = {
    "own": Own,
    "first-layer-mix": FirstLayerMix,
    "first-layer-mix-learnable": LearnableMix,
    "first-layer-mix-learnable-plus": LearnablePlusMix,
    "first-layer-only": FirstLayerOnly,
    "token-table": TokenTable,
}
