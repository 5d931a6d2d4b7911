"""The clipped distances of the pairs of a block: many near the diagonal, one on either side of it.

A block has the keys before, near and after its queries. Before and after, all pairs share the
largest or the smallest distance, so that only the pairs near the diagonal have to be sorted.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.kernels.blocks import QueryBlock

OfPair = Float[Tensor, "batch head query key"]
OfQuery = Float[Tensor, "batch head query distance"]
OfKey = Float[Tensor, "batch head key distance"]


@final
@dataclass(frozen=True)
class Distances:
    """Which of the distances -k to k, in this order, each pair of a block has.

    `before`, `near` and `after` cut the keys of the block; `index` is of the pairs near.
    """

    before: slice
    near: slice
    after: slice
    index: Int[Tensor, "query near"]
    count: int

    @classmethod
    def of(cls, block: QueryBlock, count: int, device: torch.device) -> "Distances":
        """Return the distances of a block, of which there are `count` = 2k + 1."""
        reach, queries, keys = count // 2, block.queries, block.keys
        start = min(max(queries.start - reach + 1, keys.start), keys.stop)
        stop = min(max(queries.stop - 1 + reach, start), keys.stop)
        i = torch.arange(queries.start, queries.stop, device=device)
        j = torch.arange(start, stop, device=device)
        return cls(
            slice(0, start - keys.start),
            slice(start - keys.start, stop - keys.start),
            slice(stop - keys.start, keys.stop - keys.start),
            (i[:, None] - j).clamp(-reach, reach) + reach,
            count,
        )

    def masses(self, weights: OfPair) -> OfQuery:
        """Return what each query gives to the keys at every distance."""
        near = weights[..., self.near]
        found = weights.new_zeros(*weights.shape[:-1], self.count)
        found.scatter_add_(-1, self.index.expand_as(near), near)
        found[..., -1] += weights[..., self.before].sum(dim=-1)
        found[..., 0] += weights[..., self.after].sum(dim=-1)
        return found

    def received(self, weights: OfPair) -> OfKey:
        """Return what each key is given by the queries at every distance."""
        near = weights[..., self.near].mT
        found = weights.new_zeros(*weights.shape[:-2], weights.shape[-1], self.count)
        found[..., self.near, :].scatter_add_(-1, self.index.mT.expand_as(near), near)
        found[..., self.before, -1] += weights[..., self.before].sum(dim=-2)
        found[..., self.after, 0] += weights[..., self.after].sum(dim=-2)
        return found

    def of_queries(self, entries: OfQuery, keys: int) -> OfPair:
        """Return, for every pair, what its query has for its distance."""
        found = entries.new_empty(*entries.shape[:-1], keys)
        found[..., self.before] = entries[..., -1:]
        index = self.index.expand(*entries.shape[:-1], -1)
        found[..., self.near] = entries.gather(-1, index)
        found[..., self.after] = entries[..., :1]
        return found

    def weighed(self, weights: OfPair, entries: OfKey) -> Float[Tensor, "batch head query"]:
        """Return the sum over keys of weights times what the key has for the pair's distance."""
        near = entries[..., self.near, :]
        near = near.gather(-1, self.index.mT.expand(*near.shape[:-1], -1)).mT
        found = (weights[..., self.near] * near).sum(dim=-1)
        for part, distance in ((self.before, -1), (self.after, 0)):
            found += torch.matmul(weights[..., part], entries[..., part, distance, None])[..., 0]
        return found
