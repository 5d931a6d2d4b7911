"""Attention in the place of attention."""

from typing import ClassVar, final

from dva_lens.mechanisms.mixer import TokenMixer
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearFactory


@final
class AttentionMixer(TokenMixer, frozen=True):
    """The layer attends."""

    formula: ClassVar[str] = "y_i = W_O Σ_j A_ij v_ij"
    source: ClassVar[str] = "Vaswani et al. 2017 (1706.03762)"

    attends: ClassVar[bool] = True

    def build(self, shape: Shape, linear: LinearFactory) -> None:
        """Return nothing: the other axes say what is built."""
        del shape, linear
