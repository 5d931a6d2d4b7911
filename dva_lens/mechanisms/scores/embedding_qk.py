"""Scores that know nothing of the layers below: queries and keys of the embeddings."""

from typing import Any, ClassVar, final

from dva_lens.mechanisms.scores import Read, Scores
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearFactory


@final
class EmbeddingQk(Scores, frozen=True):
    """Queries and keys of every layer are linear maps of what the first block reads.

    Values are those of the layer. Hooks on the inputs of queries and keys of a layer change
    nothing of its scores; those on the embedding do.
    """

    formula: ClassVar[str] = "q_i = W_Q e_i, k_j = W_K e_j, e: embedding / its root mean square"
    source: ClassVar[str] = "StaticEmbQK of Xue et al. 2025 (2510.11602), eq. 13"
    ours: ClassVar[str] = (
        "embeddings are divided by their root mean square, without a gain; learned positions are "
        "a part of them"
    )

    reads: ClassVar[Read] = "embedding"

    def build(self, shape: Shape, heads: int, linear: LinearFactory) -> Any:
        """Return the linear map."""
        return linear(shape.width, heads * shape.qk_dim)
