"""How many keys each query sees, and how many queries see each key."""

import torch
from jaxtyping import Int
from torch import Tensor

from dva_lens.kernels.blocks import blocks, hidden
from dva_lens.kernels.rule import Rule


def counts(
    rule: Rule, length: int, *, batch: int, device: torch.device
) -> tuple[Int[Tensor, "batch query"], Int[Tensor, "batch key"]]:
    """Return the keys that each query sees and the queries that see each key."""
    if rule.segments is not None:
        return _counted(rule, rule.segments)
    before = torch.arange(length, device=device)
    after = before.flip(0)
    if rule.window is not None:
        before, after = before.clamp(max=rule.window - 1), after.clamp(max=rule.window - 1)
    if rule.causal:
        visible, viewers = before + 1, after + 1
    else:
        visible = viewers = before + after + 1
    return visible.repeat(batch, 1), viewers.repeat(batch, 1)


def _counted(
    rule: Rule, segments: Int[Tensor, "batch position"]
) -> tuple[Int[Tensor, "batch query"], Int[Tensor, "batch key"]]:
    batch, length = segments.shape
    visible = torch.zeros_like(segments, dtype=torch.int64)
    viewers = torch.zeros_like(visible)
    rows = max(1, (1 << 20) // (batch * length))
    for block in blocks(rule, slice(0, batch), slice(0, 1), length, rows=rows):
        unseen = hidden(rule, block, segments.device)
        if unseen is not None:
            seen = ~unseen[:, 0]
            visible[:, block.queries] = seen.sum(dim=-1)
            viewers[:, block.keys] += seen.sum(dim=-2)
    return visible, viewers
