"""How many keys each query sees, and how many queries see each key."""

import torch
from jaxtyping import Int
from torch import Tensor

from dva_lens.kernels.blocks import blocks, hidden
from dva_lens.kernels.weights import Weights


def counts(
    weights: Weights, length: int, *, batch: int, device: torch.device
) -> tuple[Int[Tensor, "batch query"], Int[Tensor, "batch key"]]:
    """Return the keys that each query sees and the queries that see each key."""
    if weights.segments is not None:
        return _counted(weights, weights.segments)
    before = torch.arange(length, device=device)
    after = before.flip(0)
    if weights.window is not None:
        before, after = before.clamp(max=weights.window - 1), after.clamp(max=weights.window - 1)
    if weights.causal:
        visible, viewers = before + 1, after + 1
    else:
        visible = viewers = before + after + 1
    return visible.repeat(batch, 1), viewers.repeat(batch, 1)


def _counted(
    weights: Weights, segments: Int[Tensor, "batch position"]
) -> tuple[Int[Tensor, "batch query"], Int[Tensor, "batch key"]]:
    batch, length = segments.shape
    visible = torch.zeros_like(segments, dtype=torch.int64)
    viewers = torch.zeros_like(visible)
    rows = max(1, (1 << 20) // (batch * length))
    for block in blocks(weights, slice(0, batch), slice(0, 1), length, rows=rows):
        unseen = hidden(weights, block, segments.device)
        if unseen is not None:
            seen = ~unseen[:, 0]
            visible[:, block.queries] = seen.sum(dim=-1)
            viewers[:, block.keys] += seen.sum(dim=-2)
    return visible, viewers
