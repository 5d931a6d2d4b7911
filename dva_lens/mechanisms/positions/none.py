"""No positions: for rules that weigh distance by themselves, and for causal masks alone."""

from typing import ClassVar, final

from dva_lens.mechanisms.positions import Positions
from dva_lens.mechanisms.shape import Shape


@final
class NoPositions(Positions, frozen=True):
    """Nothing says where a token stands but what it sees."""

    formula: ClassVar[str] = "x_i = E[t_i], score_ij = q_i·k_j"
    source: ClassVar[str] = "Kazemnejad et al. 2023 (2305.19466); ALiBi (2108.12409)"
    tag: ClassVar[str] = "none"

    def weights(self, shape: Shape) -> int:
        """Return the parameters of the model's positions."""
        del shape
        return 0

    def embedding(self, shape: Shape) -> None:
        """Return nothing: the stream starts with the embedding alone."""
        del shape

    def rotation(self, shape: Shape) -> None:
        """Return nothing: queries and keys stay as they are."""
        del shape
