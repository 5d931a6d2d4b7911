"""The sizes that a mechanism may need to know about the model it becomes a part of."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Shape:
    """Sizes of a model: everything that a part, its checks and its costs depend on.

    `value_parts` counts the vectors of `value_dim` that the static value of a key holds.
    """

    vocabulary: int
    context: int
    layers: int
    width: int
    heads: int
    kv_heads: int
    qk_dim: int
    value_dim: int
    value_parts: int

    @property
    def value_channels(self) -> int:
        """Return how many numbers the static values of a token hold, over all key-value heads."""
        return self.kv_heads * self.value_parts * self.value_dim
