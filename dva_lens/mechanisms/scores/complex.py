"""Scores of complex vectors: heads learn how much a difference of phases says."""

from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dva_lens.mechanisms.scores import Scores
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.variant import LinearCost, LinearFactory

Query = Float[Tensor, "batch position head qk"]
Key = Float[Tensor, "batch position kv_head qk"]
Turns = Float[Tensor, "any_head pair"]


@final
class ComplexScores(Scores, frozen=True):
    """Queries and keys are complex vectors, whose differences of phase are scaled and shifted.

    Channels c and c + d/2 are one complex number, of size r and phase φ in (−π, π]. Slopes scale
    the phases of queries and of keys, and so their differences: a score remains the product of
    two vectors, and no pair is kept. The turn by distance is that of rotary positions, which come
    after; without them there is none. Where a slope is no whole number, a score jumps as a number
    crosses the negative axis. Hooks and values read queries and keys as they were mapped.
    """

    formula: ClassVar[str] = (
        "s_ij = Σ_c r^q_ic r^k_jc cos(δ_c (φ^q_ic − φ^k_jc) + β_c + (i − j) ω_c) / sqrt(d_qk)"
    )
    source: ClassVar[str] = (
        "ComplexFormer, Shao et al. 2025 (2505.10222, withdrawn since): abstract, and score as in "
        "its released code"
    )
    ours: ClassVar[str] = (
        "the scale 1/sqrt(d_qk); slopes δ start at 1 and shifts β at 0, which is the dot product "
        "(theirs start at random about 0); query heads that share a key share its slopes"
    )
    own_phases: ClassVar[bool] = True

    def check(self, shape: Shape) -> None:
        """Refuse heads that cannot be halved.

        Raises
        ------
        ValueError
            The width of queries and keys within a head is odd.
        """
        shape.check_halves("Complex scores")

    def parameters(self, shape: Shape, layer: int, linear: LinearCost) -> int:
        """Return the slopes of the keys and the shifts of the queries."""
        del layer, linear
        return (shape.heads + shape.kv_heads) * shape.qk_dim // 2

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return size, phase, slope and turn of every number, and the shifts of queries."""
        del layer, keys
        return (11.0 * shape.heads + 10 * shape.kv_heads) * shape.qk_dim / 2

    def build(self, shape: Shape, heads: int, linear: LinearFactory) -> Any:
        """Return the linear map."""
        return linear(shape.width, heads * shape.qk_dim)

    def phases(self, shape: Shape) -> nn.Module:
        """Return the module that scales and shifts phases."""
        return Phases(shape)


@final
class Phases(nn.Module):
    """The slopes and the shifts of one layer, in a row each: weight decay is for matrices."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.ones(shape.kv_heads * shape.qk_dim // 2))
        self.shift = nn.Parameter(torch.zeros(shape.heads * shape.qk_dim // 2))

    def forward(self, query: Query, key: Key) -> tuple[Query, Key]:
        """Return queries and keys of which the real part of the product is the score."""
        slope, shift = (
            each.unflatten(0, (heads.shape[2], -1))
            for each, heads in ((self.slope, key), (self.shift, query))
        )
        shared = slope.repeat_interleave(query.shape[2] // key.shape[2], dim=0)
        return _turned(query, shared, shift), _turned(key, slope, None)


def _turned(
    heads: Float[Tensor, "batch position any_head qk"], slope: Turns, shift: Turns | None
) -> Float[Tensor, "batch position any_head qk"]:
    """Return complex numbers of the same sizes, at a slope of their phases plus a shift."""
    wide = torch.promote_types(heads.dtype, torch.float32)
    real, imaginary = heads.to(wide).chunk(2, dim=-1)
    zero = (real == 0) & (imaginary == 0)
    real = real.masked_fill(zero, 1.0)  # a number without a phase passes no gradient on
    size = torch.hypot(real, imaginary)
    phase = slope.to(wide) * torch.atan2(imaginary / size, real / size)
    if shift is not None:
        phase = phase + shift.to(wide)
    size = size.masked_fill(zero, 0.0)
    return torch.cat([size * phase.cos(), size * phase.sin()], dim=-1).to(heads.dtype)
