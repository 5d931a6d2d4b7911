"""The largest weights of a pattern, as a list of edges from queries to keys."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.kernels.blocked.pattern import BlockPattern, look_at_blocks
from dva_lens.kernels.guard import refuse_above
from dva_lens.kernels.inputs import check
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
PerEdge = Int[Tensor, "edge"]


@final
@dataclass(frozen=True)
class Edges:
    """Edges from queries to keys with their weights.

    They are sorted by sequence, head and query; those of one query come with the largest first.
    """

    sequence: PerEdge
    head: PerEdge
    query: PerEdge
    key: PerEdge
    weight: Float[Tensor, "edge"]

    def __len__(self) -> int:
        return len(self.weight)


@torch.no_grad()
def top_edges(
    query: Query, key: Key, rule: Rule, *, count: int = 8, threshold: float = 0.0
) -> Edges:
    """Return the largest weights of every query, at most `count`, that exceed the threshold.

    The weights are those of the attention as it is: softmax with its sink, or sigmoid. The
    pattern is formed in blocks, so memory grows with the length times `count`. Among weights
    that are equal, any may be left out.

    Raises
    ------
    ValueError
        Shapes do not fit, `count` is below 1 or `threshold` below 0.
    MemoryError
        So many edges would exceed the budget of memory.
    """
    check(query, key, Static(key), rule)
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}.")
    if threshold < 0:
        raise ValueError(f"threshold must not be negative, got {threshold}.")
    count = min(count, key.shape[2])
    rows = query.shape[:3].numel()
    refuse_above(
        rows * count * (8 + query.element_size()),
        f"The {count} largest weights of {rows:,} queries",
        alternative="ask for fewer per query, or for fewer heads",
    )
    wide = torch.promote_types(query.dtype, torch.float32)
    with torch.autocast(query.device.type, enabled=False):
        query, key = query.to(wide), key.to(wide)
        largest = query.new_zeros(*query.shape[:3], count)
        places = torch.zeros_like(largest, dtype=torch.int64)

        def look(part: BlockPattern) -> None:
            few = min(count, part.weights.shape[-1])
            found, place = part.weights.topk(few, dim=-1)
            largest[part.block.by_query][..., :few] = found
            places[part.block.by_query][..., :few] = place + part.block.keys.start

        look_at_blocks(query, key, rule, look)
    sequence, head, row, rank = (largest > threshold).nonzero(as_tuple=True)
    chosen = (sequence, head, row, rank)
    return Edges(sequence, head, row, places[chosen], largest[chosen])
