"""Rotary positions."""

from functools import lru_cache
from typing import Annotated, ClassVar, final

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from dva_lens.mechanisms.positions import Positions
from dva_lens.mechanisms.shape import Shape
from dva_lens.validation import Number


@final
class Rotary(Positions, frozen=True):
    """Queries and keys are rotated by their position.

    Channel c is paired with channel c + d/2.
    """

    formula: ClassVar[str] = "score_ij = (R_i q_i)·(R_j k_j), angle of pair c: i·base^(−2c/d)"
    source: ClassVar[str] = "Su et al. 2021 (2104.09864), halves paired as in LLaMA"
    tag: ClassVar[str] = "rotary"

    base: Annotated[Number, Field(gt=1)] = 10000.0

    def check(self, shape: Shape) -> None:
        """Refuse heads that cannot be halved.

        Raises
        ------
        ValueError
            The width of queries and keys within a head is odd.
        """
        shape.check_halves("Rotary positions")

    def weights(self, shape: Shape) -> int:
        """Return the parameters of the model's positions."""
        del shape
        return 0

    def embedding(self, shape: Shape) -> None:
        """Return nothing: rotary positions add nothing to the stream."""
        del shape

    def rotation(self, shape: Shape) -> nn.Module:
        """Return the module that turns queries and keys."""
        return RotaryModule(shape.qk_dim, self.base)


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
class RotaryModule(nn.Module):
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
