"""How scores become attention weights."""

from abc import abstractmethod
from typing import Any, ClassVar

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.table import VariantTable
from dva_lens.mechanisms.variant import Variant


class AttentionRule(Variant, frozen=True):
    """A rule turns the scores of a query into its weights."""

    called: ClassVar[str] = "rule"

    of_blocks: ClassVar[bool] = False
    """Whether past keys are weighed by the blocks they are in, all of which a query must see."""

    def features(self) -> Any:
        """Return the map that queries and keys pass through after their positions, or None."""
        return None

    def past(self, shape: Shape) -> Any:
        """Return the module that gives past blocks their weight, or None."""
        del shape

    @abstractmethod
    def build(self, shape: Shape) -> Any:
        """Return the module that hands the kernels the rule for a batch."""


RULES = VariantTable(
    AttentionRule,
    {
        "softmax": ("Softmax", "Weights of a query are positive and sum to one."),
        "sigmoid": ("Sigmoid", "Weights are independent of one another; rows do not sum to one."),
        "relu": (
            "Relu",
            "Weights are positive parts of scores over the number of visible keys.",
        ),
        "softmax-off-by-one": (
            "SoftmaxOffByOne",
            "Softmax over the keys and one virtual key of logit 0 without a value.",
        ),
        "learned-sink": (
            "LearnedSink",
            "Softmax over the keys and one virtual key of learned logit without a value.",
        ),
        "taylor": (
            "Taylor",
            "Weights are in proportion to 1 + s + s²/2, which is positive, and rows sum to one.",
        ),
        "linear": (
            "Linear",
            "Weights are in proportion to products of positive features, and rows sum to one.",
        ),
        "decay": (
            "DecayRule",
            "Softmax weights fade with distance, and nothing makes up for it: rows sum to less.",
        ),
        "alibi": (
            "Alibi",
            "Scores fall in proportion to distance, by a slope per head that is not trained.",
        ),
        "landmark": (
            "Landmark",
            "Keys of a past block share the weight that a query gives the block's landmark.",
        ),
        "combiner": (
            "Combiner",
            "Keys of a past block share its weight in a way that is the same for all queries.",
        ),
    },
)
