"""How scores become weights: scale, visibility, softcap, bias, normaliser and learned sink."""

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@final
@dataclass(frozen=True)
class Rule:
    """The rule that turns queries and keys of one attention into its pattern.

    A score is `scale * q.k`, passed through `softcap * tanh(score / softcap)` where given, plus
    `bias`, which is a number or broadcasts to (batch, head, query, key). Softmax normalises over
    the visible keys and, where `sink` is given, over one virtual key per query head with that
    logit and no value (zeros are the off-by-one softmax). Sigmoid weighs every visible key by
    itself.

    A query sees the keys of its own segment (`segments`; 0 marks padding, which sees and is seen
    by nobody), not later than itself if `causal`, and fewer than `window` positions away.
    """

    scale: float
    causal: bool = True
    normaliser: Literal["softmax", "sigmoid"] = "softmax"
    window: int | None = None
    softcap: float | None = None
    bias: float | Float[Tensor, "#batch #head #query #key"] = 0.0
    sink: Float[Tensor, "head"] | None = None
    segments: Int[Tensor, "batch position"] | None = None

    def __post_init__(self) -> None:
        if self.normaliser not in ("softmax", "sigmoid"):
            raise ValueError(
                f"normaliser must be 'softmax' or 'sigmoid', got {self.normaliser!r}."
            )
        if self.normaliser == "sigmoid" and self.sink is not None:
            raise ValueError(
                "A sink needs the softmax normaliser; sigmoid weights do not compete."
            )
        if self.window is not None and self.window < 1:
            raise ValueError(f"window must be at least 1, got {self.window}.")

    def visible(
        self, queries: Int[Tensor, "query"], keys: Int[Tensor, "key"]
    ) -> Bool[Tensor, "#batch 1 query key"]:
        """Say which of the chosen keys each of the chosen queries sees."""
        apart = queries[:, None] - keys[None, :]
        seen = torch.ones_like(apart, dtype=torch.bool)
        if self.causal:
            seen &= apart >= 0
        if self.window is not None:
            seen &= apart.abs() < self.window
        seen = seen[None, None]
        if self.segments is not None:
            mine, theirs = self.segments[:, queries], self.segments[:, keys]
            same = (mine[:, :, None] == theirs[:, None, :]) & (mine[:, :, None] != 0)
            seen = seen & same[:, None]
        return seen
