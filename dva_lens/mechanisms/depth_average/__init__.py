"""What a block receives besides the stream of the block before it."""

from abc import abstractmethod
from typing import Any, ClassVar

from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.table import VariantTable
from dva_lens.mechanisms.variant import Variant


class DepthAverage(Variant, frozen=True):
    """A depth average decides what the next block reads of the streams so far."""

    called: ClassVar[str] = "depth average"

    @abstractmethod
    def build(self, shape: Shape, layer: int) -> Any:
        """Return the module, or None where the next block reads the last stream alone."""


DEPTH_AVERAGES = VariantTable(
    DepthAverage,
    {
        "none": ("NoAverage", "Each block reads the output of the previous block alone."),
        "denseformer": (
            "DenseFormer",
            "After a block, a learned average of all streams so far, the embedding among them.",
        ),
    },
)
