"""What keys receive from the queries that see many keys: the mass that says something of a sink.

A query that sees few keys gives each of them much, however evenly it spreads. There are few such
queries (the first ones of a causal text), so what they give away is formed on its own and taken
off the mass that keys receive from all.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dva_lens.axes import MANY_KEYS
from dva_lens.kernels.by_distance import terms_between
from dva_lens.kernels.rule import Rule, visible_keys
from dva_lens.kernels.text_blocks import Pairs
from dva_lens.kernels.values import per_query_head

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
PerKey = Float[Tensor, "batch head key"]
Some = Float[Tensor, "batch head row key"]

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
    heads = query.shape[1]
    for rows in few.any(dim=0).nonzero()[:, 0].split(ROWS):
        keys = torch.arange(int(rows[-1]) + 1 if rule.causal else key.shape[2], device=key.device)
        others = per_query_head(key[:, :, : len(keys)], heads).to(received.dtype)
        scores = _finished(query[:, :, rows].to(received.dtype) @ others.mT, rule, rows, keys)
        weights = _weights(scores, rule)
        if rule.fade is not None:
            weights = weights * rule.fade.between(rows, keys, dtype=weights.dtype).exp()
        weights = weights.masked_fill(~few[:, None, rows, None], 0.0)
        late[..., : len(keys)] -= weights.sum(dim=-2)
    return late.clamp_(min=0.0)


def _finished(
    products: Some, rule: Rule, rows: Int[Tensor, "row"], keys: Int[Tensor, "key"]
) -> Some:
    """Return the scores of some queries; -inf where they do not see a key."""
    scores = rule.bent(rule.scale * products)
    if rule.text_blocks is not None:
        scores = rule.text_blocks.scores(scores, Pairs(rows, keys))
    if isinstance(rule.bias, Tensor):
        bias = rule.bias if rule.bias.shape[-2] == 1 else rule.bias[..., rows, :]
        scores = scores + (bias if bias.shape[-1] == 1 else bias[..., : len(keys)])
    else:
        scores = scores + rule.bias
    if rule.penalty is not None:
        scores = scores + rule.penalty.between(rows, keys, dtype=scores.dtype)
    if rule.query_terms is not None:
        scores = scores + terms_between(rule, rows, keys, dtype=scores.dtype)
    sequences = torch.arange(len(products), device=products.device)
    seen: Bool[Tensor, "#batch 1 row key"] = rule.visible(rows, keys, sequences)
    return scores.masked_fill(~seen, -torch.inf)


def _weights(scores: Some, rule: Rule) -> Some:
    if rule.normaliser == "sigmoid":
        return torch.sigmoid(scores)
    if rule.normaliser == "relu":
        return torch.relu(scores) / visible_keys(scores)
    normaliser = torch.logsumexp(scores, dim=-1)
    if rule.sink is not None:
        normaliser = torch.logaddexp(normaliser, rule.sink.to(scores.dtype)[:, None])
    normaliser = normaliser.masked_fill(normaliser == -torch.inf, 0.0)
    return torch.exp(scores - normaliser[..., None])
