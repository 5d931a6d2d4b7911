"""Pooling where attention would be."""

from typing import ClassVar, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dva_lens.mechanisms.mixer import TokenMixer
from dva_lens.mechanisms.shape import Shape
from dva_lens.mechanisms.texts import first_tokens, starts
from dva_lens.mechanisms.variant import LinearFactory


@final
class CausalMean(TokenMixer, frozen=True):
    """Pooling: the mean of the tokens so far.

    Unlike `scores: uniform`, which takes a mean of values, it has no weights, and no heads.
    """

    formula: ClassVar[str] = "y_i = (1/i) Σ_{j ≤ i} x_j"
    source: ClassVar[str] = "PoolFormer, Yu et al. 2022 (2111.11418), eq. 4"
    ours: ClassVar[str] = (
        "the mean of all tokens so far, in the place of a window of an image; the token itself is "
        "not subtracted"
    )

    def flops(self, shape: Shape, layer: int, keys: float) -> float:
        """Return a sum and a division per channel."""
        del layer, keys
        return 2.0 * shape.width

    def build(self, shape: Shape, linear: LinearFactory) -> nn.Module:
        """Return the module."""
        del shape, linear
        return CausalMeanModule()


Stream = Float[Tensor, "batch position width"]


@final
class CausalMeanModule(nn.Module):
    """The running mean of each text."""

    def forward(self, stream: Stream, segments: Int[Tensor, "batch position"] | None) -> Stream:
        """Return what the layer writes; sums are taken in float32 or wider."""
        place = torch.arange(stream.shape[1], device=stream.device)
        start = place.new_zeros(1, len(place))
        if segments is not None:
            start = starts(first_tokens(segments))
        sums = stream.to(torch.promote_types(stream.dtype, torch.float32)).cumsum(1)
        ahead = torch.cat([sums.new_zeros(sums[:, :1].shape), sums[:, :-1]], 1)
        before = ahead.gather(1, start[..., None].expand_as(sums))
        mean = (sums - before) / (place - start + 1)[..., None]
        return mean.to(stream.dtype)
