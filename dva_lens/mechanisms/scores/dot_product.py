"""The scores of every Transformer."""

from typing import Any, ClassVar, final

from dva_lens.mechanisms.scores import Scores
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearFactory


@final
class DotProduct(Scores, frozen=True):
    """Queries and keys are linear maps of the layer's stream."""

    formula: ClassVar[str] = "q_i = W_Q x_i, k_j = W_K x_j, s_ij = q_i·k_j / sqrt(d_qk)"
    source: ClassVar[str] = "Vaswani et al. 2017 (1706.03762), eq. 1"

    def build(self, shape: Shape, heads: int, linear: LinearFactory) -> Any:
        """Return the linear map."""
        return linear(shape.width, heads * shape.qk_dim)
