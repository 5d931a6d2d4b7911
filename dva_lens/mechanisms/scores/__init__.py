"""What scores are made of: which vectors the dot product of a query and a key compares.

A score is always the product of two vectors, so that every kernel and every recording takes every
variant as it is, in memory linear in length. What differs is where the vectors come from.
"""

from abc import abstractmethod
from typing import Any, ClassVar, Literal

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.table import VariantTable
from dva_lens.mechanisms.variant import LinearCost, LinearFactory, Variant

Read = Literal["stream", "embedding", "positions", "nothing"]


class Scores(Variant, frozen=True):
    """Scores say what queries and keys are read from, and whether training moves them."""

    called: ClassVar[str] = "choice of scores"

    reads: ClassVar[Read] = "stream"
    """Where queries and keys come from: the layer's stream, what the first block reads, the
    positions alone, or nothing at all."""

    trained: ClassVar[bool] = True
    """Whether training moves what queries and keys are made with."""

    own_terms: ClassVar[bool] = False
    """Whether a layer learns terms of its own, so that no other layer can weigh as it does."""

    own_phases: ClassVar[bool] = False
    """Whether a layer learns how phases are compared, so that no other can weigh as it does."""

    @property
    def of_tokens(self) -> bool:
        """Return whether queries and keys are linear maps of something about their token."""
        return self.reads in ("stream", "embedding")

    def weights(self, shape: Shape, heads: int, linear: LinearCost) -> int:
        """Return the parameters of the queries, or of the keys, of so many heads."""
        return linear(shape.width, heads * shape.qk_dim)

    def terms(self, shape: Shape) -> Any:
        """Return the module that adds terms by distance to a rule, or None."""
        del shape

    def phases(self, shape: Shape) -> Any:
        """Return what queries and keys pass through together ahead of rotation, or None."""
        del shape

    @abstractmethod
    def build(self, shape: Shape, heads: int, linear: LinearFactory) -> Any:
        """Return the module that makes the queries, or the keys, of so many heads; or None."""


SCORES = VariantTable(
    Scores,
    {
        "dot-product": ("DotProduct", "Queries and keys are linear maps of the layer's stream."),
        "embedding-qk": (
            "EmbeddingQk",
            "Queries and keys of every layer are linear maps of what the first block reads.",
        ),
        "frozen-random": (
            "FrozenRandom",
            "The maps to queries and keys are random and are not trained.",
        ),
        "complex": (
            "ComplexScores",
            "Queries and keys are complex vectors, whose differences of phase are scaled and "
            "shifted.",
        ),
        "disentangled": (
            "Disentangled",
            "Contents are compared with contents and with distances, and distances with contents.",
        ),
        "static-learned": (
            "StaticLearned",
            "Every position has a learned query and a learned key, whatever the text is.",
        ),
        "random-fixed": (
            "RandomFixed",
            "Every position has a random query and a random key that are not trained.",
        ),
        "uniform": ("UniformScores", "All scores are zero: the mean over the visible keys."),
    },
)
