"""What distance takes from an attention in closed form: a factor, or a term of the scores."""

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float, Int
from torch import Tensor


@final
@dataclass(frozen=True)
class Decay:
    """A penalty rate_h times the distance of a pair, with rate_h = log γ_h, of every query head.

    The distance is |i - j|, or, where `columns` says how many columns a grid has whose places are
    counted row by row, the steps along rows and columns from one place to the other.

    `of` says where it acts: `weights` multiplies the normalised weights by γ_h^distance, so that
    a row sums to less, and `scores` adds the penalty ahead of the normaliser, which makes up for
    it. No pair is kept: a block forms the penalties of its own pairs.

    Raises
    ------
    ValueError
        A rate is positive or not finite, there are none, `of` is unknown, or `columns` is below 0.
    """

    rates: tuple[float, ...]
    of: Literal["weights", "scores"] = "weights"
    columns: int = 0

    def __post_init__(self) -> None:
        if not self.rates or not all(-float("inf") < each <= 0 for each in self.rates):
            raise ValueError(
                f"A decay needs a finite rate of at most 0 for every query head, got {self.rates}."
            )
        if self.of not in ("weights", "scores"):
            raise ValueError(f"A decay must be of 'weights' or 'scores', got {self.of!r}.")
        if self.columns < 0:
            raise ValueError(f"A grid cannot have {self.columns} columns; 0 stands for a text.")

    def distance(self, queries: Int[Tensor, "*#pair"], keys: Int[Tensor, "*#pair"]) -> Tensor:
        """Return how far queries and keys are from each other."""
        if not self.columns:
            return (queries - keys).abs()
        rows = queries // self.columns - keys // self.columns
        return rows.abs() + (queries % self.columns - keys % self.columns).abs()

    def penalty(self, query: int, key: int) -> float:
        """Return the penalty of one pair for the first head."""
        return self.rates[0] * int(self.distance(torch.tensor(query), torch.tensor(key)))

    def between(
        self, queries: Int[Tensor, "row"], keys: Int[Tensor, "key"], *, dtype: torch.dtype
    ) -> Float[Tensor, "head row key"]:
        """Return the penalties of some queries and keys, for all heads."""
        rates = torch.tensor(self.rates, dtype=dtype, device=keys.device)
        return rates[:, None, None] * self.distance(queries[:, None], keys).to(dtype)
