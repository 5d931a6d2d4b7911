"""What a block does to each token by itself."""

from abc import abstractmethod
from typing import Annotated, Any, ClassVar

from pydantic import Field

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.table import VariantTable
from dva_lens.mechanisms.variant import LinearFactory, Variant

Hidden = Annotated[int, Field(ge=0)]
"""A hidden width, 0 for the usual one."""


class Feedforward(Variant, frozen=True):
    """A network of each token; `activation` is TransformerLens's word for its nonlinearity."""

    called: ClassVar[str] = "feed-forward network"

    activation: ClassVar[str]

    @abstractmethod
    def inner(self, shape: Shape) -> int:
        """Return the hidden width, 0 where there is no network."""

    @abstractmethod
    def build(self, shape: Shape, linear: LinearFactory) -> Any:
        """Return the module, or None where there is no network."""


FEEDFORWARDS = VariantTable(
    Feedforward,
    {
        "swiglu": ("SwiGlu", "A hidden layer whose channels are gated by another."),
        "gelu": ("GeluMlp", "One hidden layer under the tanh form of GELU."),
        "none": ("NoFeedforward", "No feed-forward network: the block is attention alone."),
    },
)
