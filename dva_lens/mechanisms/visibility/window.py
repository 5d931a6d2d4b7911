"""A window of keys that moves along with the query."""

from dataclasses import replace
from typing import Annotated, ClassVar, final

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from dva_lens.kernels.rule import Rule
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.visibility import VisibleKeys


@final
class WindowedKeys(VisibleKeys, frozen=True):
    """A query sees the last keys alone, its own among them.

    `length` is how many they are; 0 stands for a quarter of the context. What lies further back
    reaches a query over several layers, one window each.
    """

    formula: ClassVar[str] = "0 ≤ i − j < length"
    source: ClassVar[str] = "CLEAR, Liu et al. 2024 (2412.16112)"
    ours: ClassVar[str] = (
        "along the text in place of a radius in an image, causal, and the quarter of the context"
    )

    length: Annotated[int, Field(ge=0, le=1 << 24)] = 0

    def within(self, shape: Shape) -> int:
        """Return how many keys the window holds."""
        return self.length or max(1, shape.context // 4)

    def keys(self, shape: Shape, length: int) -> float:
        """Return the mean over queries of the window, or of what is there of it."""
        held = min(self.within(shape), length)
        return held - held * (held - 1) / (2 * length)

    def build(self, shape: Shape) -> nn.Module:
        """Return the module that narrows a rule."""
        return WindowModule(self.within(shape))


@final
class WindowModule(nn.Module):
    """Leave a query the last keys."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def forward(
        self,
        rule: Rule,
        query: Float[Tensor, "batch position head qk"],
        key: Float[Tensor, "batch position kv_head qk"],
    ) -> Rule:
        """Return the rule with its window, whatever queries and keys are."""
        del query, key
        return replace(rule, window=self.length)
