"""Rotation of queries and keys, and the table of learned positions."""

from functools import lru_cache
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

Heads = Float[Tensor, "batch position head width"]


@lru_cache(maxsize=16)
def _turns(
    length: int, width: int, base: float, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return cosine and sine of every position and channel, the halves side by side."""
    channels = torch.arange(0, width, 2, dtype=dtype, device=device)
    angles = torch.outer(
        torch.arange(length, dtype=dtype, device=device), base ** -(channels / width)
    )
    both = torch.cat([angles, angles], dim=-1)[:, None]
    return both.cos(), both.sin()


@final
class Rotation(nn.Module):
    """Turn each pair of channels (c, c + d/2) by the position times its frequency."""

    def __init__(self, width: int, base: float) -> None:
        super().__init__()
        self.width, self.base = width, base

    def forward(self, heads: Heads) -> Heads:
        """Return the rotated queries or keys."""
        wide = torch.float64 if heads.dtype == torch.float64 else torch.float32
        with torch.inference_mode(False):
            cosine, sine = _turns(heads.shape[1], self.width, self.base, wide, heads.device)
        first, second = heads.chunk(2, dim=-1)
        turned = torch.cat([-second, first], dim=-1)
        return heads * cosine.to(heads.dtype) + turned * sine.to(heads.dtype)


@final
class PositionTable(nn.Module):
    """A vector per position."""

    normal = ("weight",)

    def __init__(self, context: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(context, width))

    def forward(
        self, tokens: Int[Tensor, "batch position"]
    ) -> Float[Tensor, "batch position width"]:
        """Return the vectors of the positions that tokens stand at."""
        return self.weight[: tokens.shape[1]].expand(len(tokens), -1, -1)
