"""Attention whose heads compose scores and weights, with gradients, in memory linear in length.

All heads of some rows are formed at once, by the formula, and formed again for the gradients, so
that only one block of rows exists at a time and autograd does the rest.
"""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from dva_lens.kernels.blocks import cuts, key_range
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.some_rows import weights_of_rows
from dva_lens.kernels.values import per_query_head

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
Value = Float[Tensor, "batch kv_head key value_width"]
Mixed = Float[Tensor, "batch head query value_width"]
Mass = Float[Tensor, "batch head query"]
SomeMixed = Float[Tensor, "batch head row value_width"]
SomeMass = Float[Tensor, "batch head row"]

ENTRIES, ON_GPU = 1 << 17, 128
"""How many weights are formed at once, and how many times as many on a GPU."""


def composed_attention(query: Query, key: Key, value: Value, rule: Rule) -> tuple[Mixed, Mass]:
    """Return the mixed values and the row masses; differentiable in every tensor."""
    batch, heads, length, _ = query.shape
    entries = ENTRIES if query.device.type == "cpu" else ENTRIES * ON_GPU
    rows = max(1, entries // (batch * heads * key.shape[2]))
    found: list[tuple[SomeMixed, SomeMass]] = []
    for some in cuts(length, rows):
        work = partial(_mixed, rule=rule, rows=some)
        found.append(
            checkpoint(work, query, key, value, use_reentrant=False, preserve_rng_state=False)
        )
    mixed, mass = zip(*found, strict=True)
    return torch.cat(mixed, dim=2), torch.cat(mass, dim=2)


def _mixed(
    query: Query, key: Key, value: Value, *, rule: Rule, rows: slice
) -> tuple[SomeMixed, SomeMass]:
    """Return what some queries mix, and what their weights total."""
    seen = key_range(rule, slice(0, len(query)), rows, key.shape[2])
    places, keys = (
        torch.arange(each.start, each.stop, device=query.device) for each in (rows, seen)
    )
    weights = weights_of_rows(query, key, rule, rows=places, keys=keys)
    return weights @ per_query_head(value[:, :, seen], query.shape[1]), weights.sum(dim=-1)
