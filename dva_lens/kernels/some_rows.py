"""The weights of some queries on some keys, of all heads at once, as a formula for autograd."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dva_lens.kernels.by_distance import terms_between
from dva_lens.kernels.rule import Rule, visible_keys
from dva_lens.kernels.text_blocks import Pairs
from dva_lens.kernels.values import per_query_head

Query = Float[Tensor, "batch head query width"]
Key = Float[Tensor, "batch kv_head key width"]
Some = Float[Tensor, "batch head row seen"]


def weights_of_rows(
    query: Query, key: Key, rule: Rule, *, rows: Int[Tensor, "row"], keys: Int[Tensor, "seen"]
) -> Some:
    """Return the weights of some queries on some keys, which hold all that the queries see."""
    others = per_query_head(key[:, :, keys], query.shape[1])
    scores = _finished(query[:, :, rows] @ others.mT, rule, rows, keys)
    weights = _weights(scores, rule)
    if rule.fade is not None:
        weights = weights * rule.fade.between(rows, keys, dtype=weights.dtype).exp()
    return weights if rule.after is None else rule.after.of(weights, Pairs(rows, keys))


def _finished(
    products: Some, rule: Rule, rows: Int[Tensor, "row"], keys: Int[Tensor, "seen"]
) -> Some:
    """Return the scores of some queries; -inf where they do not see a key."""
    scores = rule.bent(rule.scale * products)
    if rule.before is not None:
        scores = rule.before.of(scores, Pairs(rows, keys))
    if rule.text_blocks is not None:
        scores = rule.text_blocks.scores(scores, Pairs(rows, keys))
    if isinstance(rule.bias, Tensor):
        bias = rule.bias if rule.bias.shape[-2] == 1 else rule.bias[..., rows, :]
        scores = scores + (bias if bias.shape[-1] == 1 else bias[..., keys])
    else:
        scores = scores + rule.bias
    if rule.penalty is not None:
        scores = scores + rule.penalty.between(rows, keys, dtype=scores.dtype)
    if rule.query_terms is not None:
        scores = scores + terms_between(rule, rows, keys, dtype=scores.dtype)
    sequences = torch.arange(len(products), device=products.device)
    seen: Bool[Tensor, "#batch 1 row seen"] = rule.visible(rows, keys, sequences)
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
