"""The depth-weighted average of residual streams."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

Stream = Float[Tensor, "batch position width"]


@final
class Average(nn.Module):
    """Average the streams before and after a block with those of the blocks before it."""

    def __init__(self, streams: tuple[int, ...]) -> None:
        super().__init__()
        self.streams = streams
        start = torch.zeros(len(streams))
        start[:1] = 1.0
        self.weight = nn.Parameter(start)

    def forward(
        self, before: Stream, after: Stream, carried: tuple[Tensor, ...] | None
    ) -> tuple[Stream, tuple[Tensor, ...]]:
        """Return what the next block receives, and all streams that blocks returned so far."""
        history = (*((before,) if carried is None else carried), after)
        if not self.streams:
            return after, history
        chosen = torch.stack([history[place] for place in self.streams], dim=-1)
        return chosen @ self.weight.to(chosen.dtype), history
