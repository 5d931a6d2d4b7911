"""Rows of one attention compared with what the model's own attention makes of the same inputs.

Queries, keys and values are the same on both sides, so that rounding alone may tell the outputs
apart, and how much it can is known from the number of operations: the limit is as tight in half
precision as in single.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

FIRST_ROWS, LAST_ROWS = 48, 8
ENTRIES = 1 << 22
"""Numbers that keys or values of the compared rows may hold, once for every query head."""

MATMUL_ROUNDING = {"highest": 0.0, "high": 2.0**-10, "medium": 2.0**-7}
COMPUTE_IN_DTYPE = ("exact", "fused")
"""Backends that round weights to the dtype of the values before they mix them."""

Rows = Float[Tensor, "head row width"]


@final
@dataclass(frozen=True)
class Compared:
    """How far the compared rows of one attention came apart.

    `largest` is relative to the largest value that a query sees; `rows` counts queries.
    """

    largest: float = 0.0
    rows: int = 0

    def merge(self, other: "Compared") -> "Compared":
        """Return both together."""
        return Compared(max(self.largest, other.largest), self.rows + other.rows)


@final
@dataclass(frozen=True)
class RowSample:
    """Some queries of one sequence with the keys that any of them sees, as a model asks for them.

    Scores are `scale` times a product, and at most `more` on top of it. `values` are the sizes of
    what is mixed, times the number of keys where weights do not sum to one.
    """

    query: Rows
    key: Float[Tensor, "head key width"]
    values: Float[Tensor, "head #row key"]
    seen: Bool[Tensor, "row key"]
    scale: float
    more: float = 0.0

    @property
    def largest_score(self) -> Float[Tensor, "head row"]:
        """Return what no score of a query exceeds."""
        key = self.key.float().norm(dim=-1)[:, None]
        key = torch.where(self.seen, key, 0.0).amax(dim=-1)
        return abs(self.scale) * self.query.float().norm(dim=-1) * key + self.more

    @property
    def largest_value(self) -> Float[Tensor, "head row"]:
        """Return the size of the largest value that a query sees."""
        return torch.where(self.seen, self.values, 0.0).amax(dim=-1)

    def limit(self, own: Rows, *, backend: str) -> Float[Tensor, "head row"]:
        """Return how far rounding can take a row of the output from that of another computation.

        Both sides compute in float32 or better from inputs that are the same. With u its unit,
        a score of size S over w channels is off by (w + 3) u S, the difference to the largest one
        by another 2 u S, its exponential by 2 u; a sum over n keys adds n u; a product of lower
        precision adds its own. What is mixed is at most as large as the largest value, and the
        output is rounded once to its dtype. Where a backend computes in that dtype, weights,
        mixed values and what becomes of them are rounded as well.
        """
        unit, coarse = 2.0**-24, MATMUL_ROUNDING[torch.get_float32_matmul_precision()]
        keys, width, dtype = self.key.shape[1], self.query.shape[-1], self.query.dtype
        of_score = self.largest_score * ((width + 7) * unit + 2 * coarse) + 2 * unit
        of_weights = 2 * of_score + (keys + 4) * unit
        limit = 2 * (of_weights + (keys + 2) * unit + 2 * coarse) * self.largest_value
        if dtype.itemsize < 4:
            stored = torch.finfo(dtype)
            limit = limit + stored.eps / 2 * own.norm(dim=-1) + stored.tiny * stored.eps * width
            if backend in COMPUTE_IN_DTYPE:
                limit = limit + 3 * stored.eps / 2 * self.largest_value
        return limit

    def compare(
        self, ours: Rows, own: Rows, *, backend: str, positions: Int[Tensor, "row"], place: str
    ) -> Compared:
        """Compare our rows with the model's own.

        Raises
        ------
        RuntimeError
            A row is further away than rounding takes it; the message names the first.
        """
        own = own.to(torch.promote_types(own.dtype, torch.float32))
        gap = (ours.to(own.dtype) - own).norm(dim=-1)
        limit = self.limit(own, backend=backend)
        outside = ~(gap <= limit)
        if outside.any():
            head, row = (int(each) for each in outside.nonzero()[0])
            raise RuntimeError(
                f"{place} attends otherwise than the model's own attention: head {head} at "
                f"position {int(positions[row])} is off by {float(gap[head, row]):.3g}, where "
                f"rounding allows {float(limit[head, row]):.3g} "
                f"({int(outside.any(dim=0).sum())} of {outside.shape[1]} positions compared). "
                f"Its own attention must mask or weigh in a way that it does not state, so it "
                f"cannot be measured."
            )
        size = self.largest_value.clamp(min=torch.finfo(torch.float32).tiny)
        return Compared(float((gap / size).max()), len(positions))


def first_and_last(real: Bool[Tensor, "column"]) -> Sequence[Int[Tensor, "row"]]:
    """Return the first positions and the last ones, of those that are real, without overlap."""
    places = real.nonzero()[:, 0]
    first, rest = places[:FIRST_ROWS], places[FIRST_ROWS:]
    return [each for each in (first, rest[-LAST_ROWS:]) if len(each)]
