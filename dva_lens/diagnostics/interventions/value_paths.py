"""The value paths of a model of this package while it runs: summands of values, and other values.

Models of other packages have none, so their layers have no summands.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, final

from jaxtyping import Float
from torch import Tensor, nn

from dva_lens.kernels.values import Values
from dva_lens.models.decoder import Decoder

Static = Float[Tensor, "sequence kv_head key width"]
Form = Callable[[Static], Values]


@final
@dataclass(frozen=True)
class ValuePaths:
    """What the layers of a running model make their values of, good while a layer attends."""

    attentions: Mapping[int, Any] = field(default_factory=dict[int, Any])
    forms: dict[int, Form] = field(default_factory=dict[int, Form])

    def summands(self, layer: int) -> Mapping[str, Static]:
        """Return the summands of the static value of a layer, by where they come from."""
        if layer not in self.attentions:
            return {}
        return self.attentions[layer].value_parts or {}

    def values(self, layer: int, static: Static) -> Values:
        """Return what the layer would mix if its static value were another."""
        return self.forms[layer](static)


@contextmanager
def value_paths(model: nn.Module) -> Iterator[ValuePaths]:
    """Listen to the value paths of a model; it is as before when the context ends."""
    attentions = model.attentions if isinstance(model, Decoder) else {}
    found = ValuePaths(attentions)
    for layer, attention in attentions.items():
        attention.mix.formed = _listening(found, layer, attention.mix.formed)
    try:
        yield found
    finally:
        found.forms.clear()
        for attention in attentions.values():
            del attention.mix.formed


def _listening(found: ValuePaths, layer: int, own: Callable[..., Values]) -> Callable[..., Values]:
    def formed(query: Tensor, key: Tensor, value: Tensor, stream: Any) -> Values:
        found.forms[layer] = lambda other: own(query, key, other.transpose(1, 2), stream)
        return own(query, key, value, stream)

    return formed
