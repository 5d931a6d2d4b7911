"""The sizes that a mechanism may need to know about the model it becomes a part of."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Shape:
    """Sizes of a model: everything that a part, its checks and its costs depend on.

    `value_parts` counts the vectors of `value_dim` that the static value of a key holds, and
    `output_parts` those that a head hands to the output projection.
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
    output_parts: int

    def check_halves(self, called: str) -> None:
        """Refuse queries and keys that cannot be halved into pairs of channels.

        Raises
        ------
        ValueError
            The width of queries and keys within a head is odd.
        """
        if self.qk_dim % 2:
            raise ValueError(f"{called} need an even qk_dim, got {self.qk_dim}.")

    @property
    def value_channels(self) -> int:
        """Return how many numbers the static values of a token hold, over all key-value heads."""
        return self.kv_heads * self.value_parts * self.value_dim

    @property
    def output_channels(self) -> int:
        """Return how many numbers the heads of a token hand to the output projection."""
        return self.heads * self.output_parts * self.value_dim
