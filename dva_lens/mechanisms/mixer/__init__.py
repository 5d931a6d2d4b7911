"""What a block has in the place of attention: attention itself, or something without a pattern."""

from abc import abstractmethod
from typing import Any, ClassVar

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.table import VariantTable
from dva_lens.mechanisms.variant import LinearFactory, Variant


class TokenMixer(Variant, frozen=True):
    """A mixer reads the normalised stream of a layer and writes to the stream.

    Only attention forms a pattern; a layer with another mixer has no statistics of attention.
    """

    called: ClassVar[str] = "mixer"

    attends: ClassVar[bool] = False
    """Whether the layer forms an attention pattern, which the other axes then describe."""

    @abstractmethod
    def build(self, shape: Shape, linear: LinearFactory) -> Any:
        """Return the module, or None where the layer attends."""


MIXERS = VariantTable(
    TokenMixer,
    {
        "attention": ("AttentionMixer", "The layer attends."),
        "gated-linear-unit": (
            "GatedLinearUnit",
            "A gated linear unit of the token itself: no token reads another one.",
        ),
        "generated-gate": (
            "GeneratedGate",
            "A gate on the token's own map, made by mixing it with the tokens before it.",
        ),
        "causal-mean": ("CausalMean", "Pooling: the mean of the tokens so far."),
    },
)
