"""Values moved by the distance of the pair: a static value, and masses by clipped distance.

Sum_j p_ij (v_j + a_c(i,j)) = sum_j p_ij v_j + sum_c m_ic a_c, m_ic the mass of a query on the keys
at distance c: no value of a pair is ever formed, and memory is that of a block.
"""

from collections.abc import Sequence
from functools import partial
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.blocked.distances import Distances
from dva_lens.kernels.blocked.mixers import BlockWeights, Mixed, Mixer
from dva_lens.kernels.blocked.pattern import BlockPattern, look_at_blocks
from dva_lens.kernels.blocked.readers import Read, ValueReader
from dva_lens.kernels.blocked.threads import Action
from dva_lens.kernels.blocks import QueryBlock
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Relative, per_query_head

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
Sizes = Float[Tensor, "batch head key distance"]


def squared_sizes(values: Relative, heads: int, dtype: torch.dtype) -> Sizes:
    """Return |v_j + a_c|² for every key and distance."""
    value, moves = per_query_head(values.value, heads).to(dtype), values.moves.to(dtype)
    found = 2 * (value @ moves.mT)
    found += value.square().sum(dim=-1, keepdim=True)
    found += moves.square().sum(dim=-1)[:, :, None]
    return found.clamp_(min=0.0)


@final
class RelativeMixer(Mixer):
    """p v plus masses by distance times what the distances add; operands are values and moves."""

    rows = 64

    def pairs(self, operands: Sequence[Tensor]) -> int:
        """Return how many scores stay in the cache."""
        del operands
        return 1 << 18

    def mix(
        self, weights: BlockWeights, operands: Sequence[Tensor], block: QueryBlock, out: Mixed
    ) -> None:
        """Add p v and m a."""
        value, moves = operands[0][block.by_key], operands[1][:, block.heads]
        distances = Distances.of(block, moves.shape[2], out.device)
        out += weights @ value
        out += distances.masses(weights) @ moves

    def pull(
        self,
        weights: BlockWeights,
        operands: Sequence[Tensor],
        block: QueryBlock,
        *,
        grad: Mixed,
        grads: Sequence[Tensor],
    ) -> BlockWeights:
        """Return g v^T and g a^T of each pair's distance, and add p^T g and m^T g."""
        value, moves = operands[0][block.by_key], operands[1][:, block.heads]
        distances = Distances.of(block, moves.shape[2], grad.device)
        grads[0][block.by_key].add_(weights.mT @ grad)
        pushed = distances.masses(weights).mT @ grad
        grads[1][:, block.heads].add_(pushed.sum(dim=0, keepdim=True))
        return distances.of_queries(grad @ moves.mT, weights.shape[-1]).add_(grad @ value.mT)


@final
class RelativeReader(ValueReader):
    """Reads v_j + a_c by masses, and its size off one number per key and distance."""

    def __init__(self, values: Relative, heads: int, dtype: torch.dtype) -> None:
        self.value = per_query_head(values.value, heads).to(dtype)
        self.moves = values.moves.to(dtype)
        self.sizes = squared_sizes(values, heads, dtype).sqrt_()
        self.width = self.value.shape[-1]

    def read(self, part: BlockPattern, *, mixing: bool) -> Read:
        """Return the mixed values, if wanted, and the sizes they were mixed from."""
        block, weights = part.block, part.weights
        distances = Distances.of(block, self.moves.shape[2], weights.device)
        mixed = None
        if mixing:
            mixed = weights @ self.value[block.by_key]
            mixed += distances.masses(weights) @ self.moves[:, block.heads]
        return Read(mixed, distances.weighed(weights, self.sizes[block.by_key]))


def received_by_distance(query: Query, key: Key, values: Relative, rule: Rule) -> Sizes:
    """Return what each key is given by the queries at every clipped distance."""
    count = values.moves.shape[2]
    found = query.new_zeros(*query.shape[:3], count)

    def look(part: BlockPattern) -> Action:
        given = Distances.of(part.block, count, query.device).received(part.weights)
        return partial(found[part.block.by_key].add_, given)

    look_at_blocks(query, key, rule, look)
    return found
