"""Terms of scores that queries and keys have for every distance, gathered for blocks of pairs."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.kernels.blocks import QueryBlock
from dva_lens.kernels.rule import Rule

OfPairs = Float[Tensor, "some few row seen"]
OfQuery = Float[Tensor, "batch head query distance"]
OfKey = Float[Tensor, "batch head key distance"]


def terms_between(
    rule: Rule, queries: Int[Tensor, "row"], keys: Int[Tensor, "seen"], *, dtype: torch.dtype
) -> Float[Tensor, "batch head row seen"]:
    """Return what distance adds to the scores of some queries and keys, for all heads."""
    of_query, of_key = _both(rule)
    return _gathered(of_query[..., queries, :], of_key[..., keys, :], queries, keys).to(dtype)


def terms_within(rule: Rule, block: QueryBlock, *, dtype: torch.dtype) -> OfPairs:
    """Return what distance adds to the scores of a block."""
    of_query, of_key = _both(rule)
    queries, keys = _positions(block, of_query.device)
    return _gathered(of_query[block.by_query], of_key[block.by_key], queries, keys).to(dtype)


def spread_terms(grad: OfPairs, block: QueryBlock, d_query: OfQuery, d_key: OfKey) -> None:
    """Add the gradient of the scores of a block to those of the terms."""
    index = _distances(*_positions(block, grad.device), d_query.shape[-1])
    d_query[block.by_query].scatter_add_(-1, index.expand_as(grad), grad)
    turned = grad.mT
    d_key[block.by_key].scatter_add_(-1, index.mT.expand_as(turned), turned)


def _both(rule: Rule) -> tuple[OfQuery, OfKey]:
    if rule.query_terms is None or rule.key_terms is None:
        raise ValueError("The rule holds no terms by distance; ask for them where it does.")
    return rule.query_terms, rule.key_terms


def _gathered(
    of_query: Float[Tensor, "some few row distance"],
    of_key: Float[Tensor, "some few seen distance"],
    queries: Int[Tensor, "row"],
    keys: Int[Tensor, "seen"],
) -> OfPairs:
    index = _distances(queries, keys, of_query.shape[-1])
    batch, heads = of_query.shape[:2]
    found = of_query.gather(-1, index.expand(batch, heads, -1, -1))
    return found + of_key.gather(-1, index.mT.expand(batch, heads, -1, -1)).mT


def _distances(
    queries: Int[Tensor, "row"], keys: Int[Tensor, "seen"], count: int
) -> Int[Tensor, "row seen"]:
    """Return how far back each key is, at most the last of so many distances."""
    return (queries[:, None] - keys).clamp(0, count - 1)


def _positions(
    block: QueryBlock, device: torch.device
) -> tuple[Int[Tensor, "row"], Int[Tensor, "seen"]]:
    queries, keys = (
        torch.arange(part.start, part.stop, device=device) for part in (block.queries, block.keys)
    )
    return queries, keys
