"""The specification of attention: everything is formed in full, so keep the inputs small.

Every other kernel answers to this one, in the outputs and in all gradients. It computes in the
dtype it is given; give it float64 for truth.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from dva_lens.kernels.by_distance import terms_between
from dva_lens.kernels.rule import Rule, visible_keys
from dva_lens.kernels.text_blocks import Pairs
from dva_lens.kernels.values import Values, per_query_head

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
Pattern = Float[Tensor, "batch head query key"]


def scores(query: Query, key: Key, rule: Rule) -> Pattern:
    """Return what the normaliser sees: -inf where a query does not see a key."""
    product = rule.bent(rule.scale * query @ per_query_head(key, query.shape[1]).mT)
    queries, keys = (torch.arange(each.shape[2], device=query.device) for each in (query, key))
    sequences = torch.arange(len(query), device=query.device)
    seen = rule.visible(queries, keys, sequences)
    if rule.before is not None:
        product = rule.before.of(product, Pairs(queries, keys))
    if rule.text_blocks is not None:
        product = rule.text_blocks.scores(product, Pairs(queries, keys))
    product = product + rule.bias
    if rule.penalty is not None:
        product = product + rule.penalty.between(queries, keys, dtype=product.dtype)
    if rule.query_terms is not None:
        product = product + terms_between(rule, queries, keys, dtype=product.dtype)
    return product.masked_fill(~seen, -torch.inf)


def log_normaliser(scores: Pattern, rule: Rule) -> Float[Tensor, "batch head query"]:
    """Return log-sum-exp of each row, with its sink; -inf for a row that sees nothing."""
    if rule.sink is None:
        return torch.logsumexp(scores, dim=-1)
    sink = rule.sink.to(scores.dtype)[:, None, None].expand(*scores.shape[:-1], 1)
    return torch.logsumexp(torch.cat([scores, sink], dim=-1), dim=-1)


def pattern(query: Query, key: Key, rule: Rule) -> Pattern:
    """Return the weights of every query over every key; a row that sees nothing is zero."""
    return normalised(scores(query, key, rule), rule)


def normalised(scores: Pattern, rule: Rule) -> Pattern:
    """Return the weights that scores become, those of all heads composed."""
    if rule.normaliser == "sigmoid":
        weights = torch.sigmoid(scores)
    elif rule.normaliser == "relu":
        weights = torch.relu(scores) / visible_keys(scores)
    else:
        normaliser = log_normaliser(scores, rule)[..., None]
        weights = torch.exp(scores - normaliser.masked_fill(normaliser == -torch.inf, 0.0))
    queries, keys = (torch.arange(each, device=scores.device) for each in scores.shape[-2:])
    if rule.fade is not None:
        weights = weights * rule.fade.between(queries, keys, dtype=scores.dtype).exp()
    return weights if rule.after is None else rule.after.of(weights, Pairs(queries, keys))


def attend(
    query: Query, key: Key, values: Values, rule: Rule
) -> Float[Tensor, "batch head query value_width"]:
    """Return the sum of p_ij v_ij over the keys, with every v_ij formed."""
    queries, keys = (torch.arange(each.shape[2], device=query.device) for each in (query, key))
    pairs = values.pairs(queries, keys, query.shape[1])
    return torch.einsum("bhqk,bhqkd->bhqd", pattern(query, key, rule), pairs)
