"""Everything between the projected value and what attention multiplies, with its hooks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from jaxtyping import Float, Int
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint

from dva_lens.kernels.values import Values
from dva_lens.mechanisms.value_form.form import Stream
from dva_lens.mechanisms.value_source.first_layer import FirstLayerState
from dva_lens.models.config import ModelConfig

Query = Float[Tensor, "batch position head qk"]
Key = Float[Tensor, "batch position kv_head qk"]
Value = Float[Tensor, "batch position kv_head width"]


@final
@dataclass(frozen=True)
class UsedValue:
    """The static value a layer uses and the summands it is made of, by source."""

    value: Value
    summands: Mapping[str, Tensor]


@final
class ValuePath(nn.Module):
    """Mix the sources of the static value, then give it its form.

    `hook_v` holds the value used (for forms of pairs, the key's operand; where the key chooses
    among several, all of them), `hook_q` the operand of the query where the form has one,
    `hook_k` a second operand of the key, and `hook_z` what attention returns, before gates and
    skips.
    """

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.source: Any = None  # a layer that uses keys and values of another has none
        if config.owns_keys(layer):
            self.source = config.value_source.build(config.shape, layer)
        self.form = config.value_form.build(config.shape)
        self.hook_q, self.hook_k = HookPoint(), HookPoint()
        self.hook_v, self.hook_z = HookPoint(), HookPoint()

    def own(
        self,
        projected: Value | None,
        tokens: Int[Tensor, "batch position"],
        state: FirstLayerState | None,
    ) -> Value:
        """Return what the layer calls its own value."""
        return self.source.own(projected, tokens, state)

    def mixed(
        self, own: Value, state: FirstLayerState | None
    ) -> tuple[UsedValue, FirstLayerState | None]:
        """Return the static value used, and what later layers are to be handed."""
        value, summands, state = self.source(own, state)
        return UsedValue(value, summands), state

    def formed(self, query: Query, key: Key, value: Value, stream: Stream) -> Values:
        """Return what attention multiplies, its operands having passed through their hooks."""
        hooks = {"query": self.hook_q, "key": self.hook_k, "value": self.hook_v}
        read = getattr(self.form, "read", None)
        operands = {**self.form.operands(query, key, value), **(read(stream) if read else {})}
        return self.form.values({name: hooks[name](each) for name, each in operands.items()})
