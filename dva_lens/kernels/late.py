"""What keys receive from the queries that see many keys: the mass that says something of a sink.

A query that sees few keys gives each of them much, however evenly it spreads. There are few such
queries (the first ones of a causal text), so what they give away is formed on its own and taken
off the mass that keys receive from all.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.axes import MANY_KEYS
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.some_rows import weights_of_rows

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
PerKey = Float[Tensor, "batch head key"]

ROWS = 128


def late_received(
    received: PerKey,
    query: Query,
    key: Key,
    rule: Rule,
    *,
    visible: Int[Tensor, "batch query"],
) -> PerKey:
    """Return the part of the received mass that comes from queries that see `MANY_KEYS` or more.

    Memory is linear in length, and time in the number of the other queries.
    """
    few = (visible > 0) & (visible < MANY_KEYS)
    if not (visible >= MANY_KEYS).any():
        return torch.zeros_like(received)
    late = received.clone()
    wide = query.to(received.dtype), key.to(received.dtype)
    for rows in few.any(dim=0).nonzero()[:, 0].split(ROWS):
        keys = torch.arange(int(rows[-1]) + 1 if rule.causal else key.shape[2], device=key.device)
        weights = weights_of_rows(*wide, rule, rows=rows, keys=keys)
        weights = weights.masked_fill(~few[:, None, rows, None], 0.0)
        late[..., : len(keys)] -= weights.sum(dim=-2)
    return late.clamp_(min=0.0) if rule.after is None else late
