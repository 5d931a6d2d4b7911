"""What distance takes from an attention in closed form: a factor, or a term of the scores."""

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float, Int
from torch import Tensor


@final
@dataclass(frozen=True)
class Decay:
    """A penalty rate_h |i - j|, with rate_h = log γ_h, of every query head.

    `of` says where it acts: `weights` multiplies the normalised weights by γ_h^|i - j|, so that a
    row sums to less, and `scores` adds the penalty ahead of the normaliser, which makes up for
    it. No pair is kept: a block forms the penalties of its own pairs.

    Raises
    ------
    ValueError
        A rate is positive or not finite, there are none, or `of` is unknown.
    """

    rates: tuple[float, ...]
    of: Literal["weights", "scores"] = "weights"

    def __post_init__(self) -> None:
        if not self.rates or not all(-float("inf") < each <= 0 for each in self.rates):
            raise ValueError(
                f"A decay needs a finite rate of at most 0 for every query head, got {self.rates}."
            )
        if self.of not in ("weights", "scores"):
            raise ValueError(f"A decay must be of 'weights' or 'scores', got {self.of!r}.")

    def between(
        self, queries: Int[Tensor, "row"], keys: Int[Tensor, "key"], *, dtype: torch.dtype
    ) -> Float[Tensor, "head row key"]:
        """Return the penalties of some queries and keys, for all heads."""
        rates = torch.tensor(self.rates, dtype=dtype, device=keys.device)
        return rates[:, None, None] * (queries[:, None] - keys).abs().to(dtype)
