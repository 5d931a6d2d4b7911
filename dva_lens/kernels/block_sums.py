"""Log-sum-exp of the scores of queries over the keys of a block, with gradients.

Rows are cut, and scores are formed again for the gradients, so that memory is linear in length for
a fixed number of blocks.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from dva_lens.kernels.blocks import cuts

Query = Float[Tensor, "batch head query width"]
Held = Float[Tensor, "batch head block key width"]
Sums = Float[Tensor, "batch head query block"]

ENTRIES, FEWEST_ROWS = 1 << 17, 64
ON_GPU = 64
"""How many times more is formed at once on a GPU, where starting a kernel costs more than room."""


def block_sums(query: Query, held: Held, scale: float, first: Sequence[int]) -> Sums:
    """Return log sum_j exp(scale q_i.k_j) over the keys of every block, differentiable.

    `held` are the keys by block. A block is left out, as 0, for the queries ahead of its `first`.
    """
    wide = torch.promote_types(query.dtype, torch.float32)
    with torch.autocast(query.device.type, enabled=False):
        return BlockSums.apply(query.to(wide), held.to(wide), scale, tuple(first))


class BlockSums(torch.autograd.Function):
    """One block of keys after the other, forwards and backwards."""

    @staticmethod
    def forward(ctx: Any, query: Query, held: Held, scale: float, first: Sequence[int]) -> Sums:
        """Return the sums."""
        found = query.new_zeros(*query.shape[:-1], held.shape[2])
        for block, rows in _parts(query, held, first):
            scores = scale * query[:, :, rows] @ held[:, :, block].mT
            found[:, :, rows, block] = torch.logsumexp(scores, dim=-1)
        ctx.save_for_backward(query, held, found)
        ctx.scale, ctx.first = scale, first
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Sums) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Form the scores again and push the gradients through them."""
        query, held, found = ctx.saved_tensors
        d_query, d_held = torch.zeros_like(query), torch.zeros_like(held)
        with torch.autocast(query.device.type, enabled=False):
            for block, rows in _parts(query, held, ctx.first):
                some, keys = query[:, :, rows], held[:, :, block]
                shares = (ctx.scale * some @ keys.mT).sub_(found[:, :, rows, block, None]).exp_()
                shares *= ctx.scale * grad[:, :, rows, block, None]
                d_query[:, :, rows] += shares @ keys
                d_held[:, :, block] += shares.mT @ some
        return d_query, d_held, None, None


def _parts(query: Query, held: Held, first: Sequence[int]) -> Iterator[tuple[int, slice]]:
    """Go through the blocks and, cut, the queries from the first on that asks for one."""
    batch, heads, length, _ = query.shape
    entries = ENTRIES if query.device.type == "cpu" else ON_GPU * ENTRIES
    rows = max(FEWEST_ROWS, entries // (batch * heads * held.shape[3]))
    for block, start in enumerate(first):
        for some in cuts(length - start, rows):
            yield block, slice(start + some.start, start + some.stop)
