"""A window of keys that moves along with the query."""

from dataclasses import dataclass, replace
from math import isqrt
from typing import Annotated, ClassVar, final

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from dva_lens.kernels.rule import Rule
from dva_lens.mechanisms.grid import Columns, check_one_image
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.visibility import VisibleKeys


@final
class WindowedKeys(VisibleKeys, frozen=True):
    """A query sees the last keys alone, its own among them.

    `length` is how many they are; 0 stands for a quarter of the context. What lies further back
    reaches a query over several layers, one window each. Where tokens are the patches of an image
    row by row, `columns` says how many there are in a row, and `length` is the radius, the
    paper's: a query sees the patches before it that are less far away than that, 0 for a quarter
    of the columns; a sequence then is one image.
    """

    formula: ClassVar[str] = "0 ≤ i − j < length; with columns: Δrow² + Δcolumn² < length², j ≤ i"
    source: ClassVar[str] = (
        "CLEAR, Liu et al. 2024 (2412.16112); the bound on the radius as in its released code"
    )
    ours: ClassVar[str] = (
        "along the text where no columns are given, causal (row by row in an image), and the "
        "quarters"
    )

    length: Annotated[int, Field(ge=0, le=1 << 24)] = 0
    columns: Columns = 0

    def within(self, shape: Shape) -> int:
        """Return how many keys the window holds, or the radius in an image."""
        return self.length or max(1, (self.columns or shape.context) // 4)

    def keys(self, shape: Shape, length: int) -> float:
        """Return the mean over queries of the window, or of what is there of it."""
        if self.columns:
            disc = Disc(self.columns, self.within(shape))
            rows = min(disc.radius, -(-length // self.columns))
            return sum(disc.pairs(back, length) for back in range(rows)) / length
        held = min(self.within(shape), length)
        return held - held * (held - 1) / (2 * length)

    def build(self, shape: Shape) -> nn.Module:
        """Return the module that narrows a rule."""
        if self.columns:
            return DiscModule(Disc(self.columns, self.within(shape)))
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


@final
@dataclass(frozen=True)
class Disc:
    """A mask function: places on a grid that are less than a radius apart."""

    columns: int
    radius: int

    def __call__(self, sequences: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
        """Say which of the keys the queries see, indices that broadcast."""
        del sequences
        rows = queries // self.columns - keys // self.columns
        columns = queries % self.columns - keys % self.columns
        return rows.square() + columns.square() < self.radius**2

    def aside(self, back: int) -> int:
        """Return how many columns away a key so many rows back may be."""
        return min(isqrt(self.radius**2 - 1 - back**2), self.columns - 1)

    @property
    def reach(self) -> int:
        """Return how many places back the furthest key of a query may stand."""
        back = self.radius - 1
        return back * self.columns + self.aside(back)

    def pairs(self, back: int, length: int) -> int:
        """Return how many keys so many rows back all queries see, those up to their own."""
        aside, found = self.aside(back), 0
        whole, rest = divmod(max(0, length - back * self.columns), self.columns)
        for by in range(-aside if back else 0, aside + 1):
            first, stop = max(0, by), min(self.columns, self.columns + by)
            found += whole * (stop - first) + max(0, min(rest, stop) - first)
        return found


@final
class DiscModule(nn.Module):
    """Leave a query the keys within a radius on a grid."""

    def __init__(self, disc: Disc) -> None:
        super().__init__()
        self.disc, self.window = disc, disc.reach + 1

    def forward(
        self,
        rule: Rule,
        query: Float[Tensor, "batch position head qk"],
        key: Float[Tensor, "batch position kv_head qk"],
    ) -> Rule:
        """Return the rule with its disc, whatever queries and keys are.

        Raises
        ------
        ValueError
            A sequence holds several texts.
        """
        del query, key
        check_one_image(rule.segments)
        return replace(rule, mask=self.disc, window=self.window)
