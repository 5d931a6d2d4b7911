"""What the layers of a model have that can be changed, and who says so where one has it not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from dva_lens.diagnostics.interventions.values import (
    DropHead,
    DropValueResidual,
    FreezeValues,
    Intervention,
    RemoveSink,
    SwapFirstValues,
    SwapValues,
    Temperature,
)
from dva_lens.kernels.values import Static
from dva_lens.mechanisms.rule.relu import Relu
from dva_lens.mechanisms.rule.sigmoid import Sigmoid
from dva_lens.mechanisms.value_form.relative import RelativeValues
from dva_lens.mechanisms.value_form.static import StaticValue
from dva_lens.mechanisms.value_form.value_mlp import ValueMlp
from dva_lens.mechanisms.value_source.first_layer_only import FirstLayerOnly
from dva_lens.models.config import ModelConfig
from dva_lens.models.presets import PRESETS, preset
from dva_lens.models.size import Size
from dva_lens.recording.recorder import AttentionCall

SIZE = Size(layers=4, width=32, heads=4, vocabulary=32, context=16)
SHOWN = 6


@final
@dataclass(frozen=True)
class LayerParts:
    """What one layer was seen to have: heads, and where its values come from."""

    heads: int
    by_query: bool
    query_operands: tuple[str, ...]
    competes: bool
    fades: bool
    counts: bool
    shares: bool
    composes: bool
    sources: tuple[str, ...]

    @classmethod
    def of(cls, call: AttentionCall, sources: Sequence[str]) -> "LayerParts":
        """Return the parts of an attention as the model asked for it."""
        return cls(
            heads=call.query.shape[1],
            by_query=not isinstance(call.values, Static),
            query_operands=type(call.values).of_query,
            competes=call.weights.normaliser == "softmax" and call.weights.composition is None,
            fades=call.weights.fade is not None,
            counts=call.weights.normaliser == "relu",
            shares=call.weights.text_blocks is not None,
            composes=call.weights.composition is not None,
            sources=tuple(sources),
        )


@final
@dataclass(frozen=True)
class ModelParts:
    """What the layers of a model have; a layer without attention is not among `layers`."""

    model: str
    depth: int
    layers: Mapping[int, LayerParts]

    @property
    def heads(self) -> list[int]:
        """Return how many heads every layer has."""
        return [self.layers[layer].heads if layer in self.layers else 0 for layer in self._all]

    @property
    def _all(self) -> range:
        return range(self.depth)

    def with_first(self) -> tuple[int, ...]:
        """Return the layers that take values of the first."""
        return tuple(layer for layer, one in self.layers.items() if "first" in one.sources)

    def targets(self, what: Intervention) -> tuple[int, ...]:
        """Return the layers that an intervention changes, each of which has what it changes.

        Raises
        ------
        ValueError
            There is no such layer, head, or weights that compete.
        TypeError
            The model, or the layer, has nothing of the kind that is changed.
        """
        if what.layer is not None:
            self._check_layer(what.layer)
            self._check_head(what, self.layers[what.layer])
        if isinstance(what, DropValueResidual | SwapFirstValues):
            return self._with_first(what)
        assert what.layer is not None  # only those two may leave it out
        one = self.layers[what.layer]
        if isinstance(what, FreezeValues) and not one.by_query:
            raise TypeError(
                f"No query has a part in the values of layer {what.layer} of {self.model}, so "
                f"there is nothing to freeze{self._elsewhere(lambda each: each.by_query)}; "
                f"presets whose queries have one: {having(depends_on_query)}."
            )
        if isinstance(what, SwapValues) and what.part == "query" and not one.query_operands:
            elsewhere = self._elsewhere(lambda each: bool(each.query_operands))
            raise TypeError(
                f"The values of layer {what.layer} of {self.model} are made of nothing that is "
                f"the query's, so there is nothing to swap{elsewhere}; presets whose values are: "
                f"{having(made_of_query)}."
            )
        if isinstance(what, Temperature | RemoveSink) and one.composes:
            raise TypeError(
                f"The heads of layer {what.layer} of {self.model} compose their weights, some of "
                f"which may be negative, so that those of one alone cannot be changed; drop a "
                f"head instead."
            )
        if isinstance(what, Temperature) and not one.competes:
            raise TypeError(
                f"A temperature needs weights that compete, and layer {what.layer} of "
                f"{self.model} weighs every key by itself{self._elsewhere(lambda e: e.competes)}; "
                f"presets that have them: {having(competes)}."
            )
        if isinstance(what, RemoveSink) and what.by == "mask":
            self._check_hiding(what, one)
        return (what.layer,)

    def _check_layer(self, layer: int) -> None:
        if layer >= self.depth:
            raise ValueError(
                f"layer must be below {self.depth}, the layers of {self.model}, got {layer}."
            )
        if layer not in self.layers:
            raise ValueError(
                f"Layer {layer} of {self.model} has no attention that could be changed; layers "
                f"that have one: {', '.join(map(str, self.layers))}."
            )

    def _check_head(self, what: Intervention, one: LayerParts) -> None:
        if isinstance(what, RemoveSink | DropHead | Temperature) and what.head >= one.heads:
            raise ValueError(
                f"head must be below {one.heads}, the heads of layer {what.layer} of "
                f"{self.model}, got {what.head}."
            )

    def _check_hiding(self, what: RemoveSink, one: LayerParts) -> None:
        """Refuse to hide a key where the weights of the others would not merely grow alike."""
        layer = f"layer {what.layer} of {self.model}"
        instead = "take its value away instead: by='value'."
        if one.fades:
            raise TypeError(
                f"Hiding a key changes the weights of {layer} by what they were before distance "
                f"took from them, which is not kept; {instead}"
            )
        if one.counts:
            raise TypeError(
                f"The weights of {layer} are divided by how many keys a query sees, so hiding one "
                f"changes all of them; {instead}"
            )
        if one.shares:
            raise TypeError(
                f"Keys of a past block share its weight in {layer}, so hiding one changes what "
                f"the others of its block get; {instead}"
            )

    def _with_first(self, what: DropValueResidual | SwapFirstValues) -> tuple[int, ...]:
        found = self.with_first()
        if not found:
            raise TypeError(
                f"No layer of {self.model} takes values of the first one, so there is no value "
                f"residual to change; presets that have one: {having(takes_first)}."
            )
        if what.layer is not None and what.layer not in found:
            raise TypeError(
                f"Layer {what.layer} of {self.model} takes no values of the first one, so there "
                f"is no value residual to change; layers that do: {', '.join(map(str, found))}."
            )
        chosen = found if what.layer is None else (what.layer,)
        alone = [layer for layer in chosen if self.layers[layer].sources == ("first",)]
        if isinstance(what, DropValueResidual) and alone:
            raise TypeError(
                f"Layer {alone[0]} of {self.model} has no values but those of the first layer, "
                f"so nothing would be left without them; presets whose layers have both: "
                f"{having(mixes_first)}."
            )
        return chosen

    def _elsewhere(self, has: Callable[[LayerParts], bool]) -> str:
        """Return the layers that have a part, in words."""
        found = [str(layer) for layer, one in self.layers.items() if has(one)]
        return f" (layers that have it: {', '.join(found)})" if found else ""


def takes_first(config: ModelConfig) -> bool:
    """Say whether layers take values of the first."""
    return mixes_first(config) or isinstance(config.value_source, FirstLayerOnly)


def mixes_first(config: ModelConfig) -> bool:
    """Say whether layers mix values of the first into their own."""
    shape = config.shape
    return any(config.value_source.mixes(shape, layer) for layer in range(config.layers))


def competes(config: ModelConfig) -> bool:
    """Say whether keys compete for the weight of a query."""
    return not isinstance(config.rule, Sigmoid | Relu) and not config.composition.composes


def depends_on_query(config: ModelConfig) -> bool:
    """Say whether the query has a part in the values."""
    return not isinstance(config.value_form, StaticValue | ValueMlp)


def made_of_query(config: ModelConfig) -> bool:
    """Say whether values are made of something that is the query's, and not of its place."""
    return depends_on_query(config) and not isinstance(config.value_form, RelativeValues)


def having(has: Callable[[ModelConfig], bool]) -> str:
    """Return the presets that have a part, the first of them by name."""
    found = [name for name in PRESETS if has(preset(name, SIZE))]
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more
