"""What figures by depth share: the axis of layers, and what was averaged over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from dva_lens import axes
from dva_lens.results.entries import chosen_entry, entry_words
from dva_lens.views import words
from dva_lens.views.conditions import Condition

_EVERY_LAYER = 16


@final
@dataclass(frozen=True)
class Depths:
    """An axis of depth: layers where all conditions have equally many, else relative depth."""

    name: str
    title: str
    relative: bool
    ticks: Mapping[str, Any] = field(default_factory=dict)

    def of(self, condition: Condition) -> np.ndarray:
        """Return where the layers of a condition stand."""
        layers = layers_of(condition)
        return (layers + 1) / len(layers) if self.relative else layers


def depth_axis(found: Sequence[Condition]) -> Depths:
    """Return the axis on which the layers of all conditions can be compared."""
    counts = {len(layers_of(condition)) for condition in found}
    if len(counts) > 1:
        return Depths("depth", "Relative depth (layer / layers)", True, {"tickformat": ".0%"})
    few = max(counts) <= _EVERY_LAYER
    ticks = {"dtick": 1} if few else {}
    return Depths("layer", "Layer", False, {"unifiedhovertitle": {"text": "layer %{x}"}, **ticks})


def layers_of(condition: Condition) -> np.ndarray:
    """Return the numbers of a condition's layers."""
    return condition.labels(axes.LAYER)


def chosen(
    condition: Condition, name: str, where: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return where each further dimension of a statistic is read: as asked for, else as usual."""
    return chosen_entry(condition.first(name), where)


def averaged_over(condition: Condition, name: str, spans: Sequence[int] | None) -> str:
    """Say what a mean by layer was taken over."""
    dims = condition.first(name).dims
    parts = [noun for dim, noun in _NOUNS.items() if dim in dims]
    if axes.SPAN in dims:
        parts.append(words.spans_read(spans))
    return words.listed([*parts, "texts"])


def read_at(where: Mapping[str, Any]) -> str:
    """Say at which value of a further dimension a statistic was read."""
    return f", at {entry_words(where)}" if where else ""


_NOUNS = {axes.HEAD: "heads", axes.KV_HEAD: "key-value heads"}
