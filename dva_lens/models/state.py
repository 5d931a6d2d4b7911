"""What travels beside the residual stream, from layer to layer, unread by those it passes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

from jaxtyping import Float, Int
from torch import Tensor


@final
@dataclass(frozen=True)
class CrossLayerState:
    """The tokens of the batch, and one slot for each mechanism that needs other layers.

    `start` is the stream that the first block reads. Only the mechanism that fills a slot reads
    it.
    """

    tokens: Int[Tensor, "batch position"]
    start: Float[Tensor, "batch position width"]
    segments: Int[Tensor, "batch position"] | None = None
    slots: Mapping[str, Any] = field(default_factory=dict)

    def get(self, slot: str) -> Any:
        """Return what a slot holds, None before it was filled."""
        return self.slots.get(slot)

    def put(self, slot: str, content: Any) -> "CrossLayerState":
        """Return a state with one slot filled anew."""
        return replace(self, slots={**self.slots, slot: content})
