"""Rows of a pattern, formed a few at a time for whoever needs whole rows."""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dva_lens.kernels.by_distance import terms_between
from dva_lens.kernels.rule import Rule, visible_keys
from dva_lens.kernels.text_blocks import Pairs
from dva_lens.kernels.values import Static, Values
from dva_lens.recording.norms import accurate
from dva_lens.records import RowTile

ENTRIES = 1 << 22
FEWEST_ROWS, MOST_ROWS = 16, 128


def row_tiles(  # noqa: PLR0913  (an attention has this many parts)
    query: Float[Tensor, "sequence head query width"],
    key: Float[Tensor, "sequence kv_head key width"],
    values: Values,
    weights: Rule,
    *,
    gram: Float[Tensor, "head width_out width_out"] | None,
    tokens: Int[np.ndarray, "token"],
    queries: int | None = None,
) -> Iterator[RowTile]:
    """Go through the rows of one sequence from its first query on, as many as it has tokens.

    `queries` says how many there are of another text than that of the keys.
    Take a sequence out of a batch with `alone` first.
    """
    length, heads = len(tokens), query.shape[1]
    keys = torch.arange(length, device=query.device)
    static = None
    if isinstance(values, Static):
        static = accurate(values.value[0, :, :length]).cpu().numpy()
    per_row = heads * length * (1 if static is not None else query.shape[-1])
    rows = min(max(ENTRIES // max(per_row, 1), FEWEST_ROWS), MOST_ROWS)
    inner = None if gram is None else accurate(gram).cpu().numpy()
    every = torch.arange(length if queries is None else queries, device=query.device)
    for some in every.split(rows):
        pattern, seen = rows_of(query, key, weights, some, keys)
        if static is None:
            used = accurate(values.pairs(some, keys, heads)[0]).cpu().numpy()
        else:
            used = static
        yield RowTile(
            queries=some.cpu().numpy(),
            weights=pattern.cpu().numpy(),
            seen=seen.cpu().numpy(),
            values=used,
            gram=inner,
            tokens=tokens,
            one_text=queries is None,
        )


def pattern_tiles(
    pattern: Float[Tensor, "head query key"],
    value: Float[Tensor, "kv_head key width"],
    *,
    gram: Float[Tensor, "head width width"] | None,
    tokens: Int[np.ndarray, "token"],
    visible: Rule,
    queries: int | None = None,
) -> Iterator[RowTile]:
    """Go through the rows of a pattern that exists already, as `visible` lets queries see.

    `queries` says how many there are of another text than that of the keys.
    """
    length = len(tokens)
    keys = torch.arange(length, device=pattern.device)
    used = accurate(value[:, :length]).cpu().numpy()
    inner = None if gram is None else accurate(gram).cpu().numpy()
    every = keys if queries is None else torch.arange(queries, device=pattern.device)
    for some in every.split(MOST_ROWS):
        seen = _seen(visible, some, keys)
        rows = accurate(pattern[:, some, :length]).masked_fill(~seen, 0.0)
        yield RowTile(
            queries=some.cpu().numpy(),
            weights=rows.cpu().numpy(),
            seen=seen.cpu().numpy(),
            values=used,
            gram=inner,
            tokens=tokens,
            one_text=queries is None,
        )


def alone(batch: Any, sequence: int) -> Any:
    """Return values or weights of one sequence of a batch."""
    mask = getattr(batch, "mask", None)
    cut = {
        field.name: getattr(batch, field.name)[sequence : sequence + 1]
        for field in fields(batch)
        if _has_sequences(field.name, getattr(batch, field.name))
    }
    if mask is not None:
        cut["mask"] = lambda first, query, key: mask(first + sequence, query, key)
    for name in ("text_blocks", "composition"):
        held = getattr(batch, name, None)
        if held is not None:
            cut[name] = held.cut(slice(sequence, sequence + 1))
    return replace(batch, **cut)


def _has_sequences(name: str, held: object) -> bool:
    return isinstance(held, Tensor) and name != "sink" and held.ndim > 0 and held.shape[0] > 1


def rows_of(
    query: Tensor, key: Tensor, weights: Rule, queries: Tensor, keys: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the weights of some rows as (head, row, key), and what they see.

    Keys after the last one that any row sees have no weight, and no scores are formed for them.
    """
    seen = _seen(weights, queries, keys)
    reached = seen.any(0).nonzero()
    last = int(reached[-1]) + 1 if len(reached) else 0
    formed = _formed(query, key, weights, queries, keys[:last], seen=seen[:, :last])
    if last == len(keys):
        return formed, seen
    found = formed.new_zeros(*formed.shape[:2], len(keys))
    found[..., :last] = formed
    return found, seen


def _formed(
    query: Tensor, key: Tensor, weights: Rule, queries: Tensor, keys: Tensor, *, seen: Tensor
) -> Float[Tensor, "head row key"]:
    chosen, others = accurate(query[0, :, queries]), accurate(key[0, :, keys])
    others = others.repeat_interleave(len(chosen) // len(others), dim=0)
    scores = (chosen @ others.mT).mul_(weights.scale)
    if weights.softcap is not None:
        scores.div_(weights.softcap).tanh_().mul_(weights.softcap)
    elif weights.similarity != "exponential":
        scores.copy_(weights.bent(scores))
    found = _weights(
        _finished(scores, weights, queries, keys).masked_fill_(~seen, -torch.inf), weights
    )
    if weights.fade is not None:
        found *= weights.fade.between(queries, keys, dtype=found.dtype).exp()
    if weights.after is None:
        return found
    return weights.after.of(found[None], Pairs(queries, keys))[0]


def _finished(
    scores: Float[Tensor, "head row key"], weights: Rule, queries: Tensor, keys: Tensor
) -> Float[Tensor, "head row key"]:
    """Return scores of bent products, which may be overwritten."""
    if weights.before is not None:
        scores = weights.before.of(scores[None], Pairs(queries, keys))[0]
    if weights.text_blocks is not None:
        scores = weights.text_blocks.scores(scores[None], Pairs(queries, keys))[0]
    if isinstance(weights.bias, Tensor) or weights.bias:
        scores += _bias(weights.bias, queries, keys)
    if weights.penalty is not None:
        scores += weights.penalty.between(queries, keys, dtype=scores.dtype)
    if weights.query_terms is not None:
        scores += terms_between(weights, queries, keys, dtype=scores.dtype)[0]
    return scores


def _weights(scores: Float[Tensor, "head row key"], weights: Rule) -> Tensor:
    """Turn scores into weights in place."""
    if weights.normaliser == "sigmoid":
        return scores.sigmoid_()
    if weights.normaliser == "relu":
        keys = visible_keys(scores)
        return scores.relu_().div_(keys)
    normaliser = torch.logsumexp(scores, dim=-1)
    if weights.sink is not None:
        normaliser = torch.logaddexp(normaliser, accurate(weights.sink)[:, None])
    normaliser = normaliser.masked_fill(normaliser == -torch.inf, 0.0)
    return scores.sub_(normaliser[..., None]).exp_()


def _seen(weights: Rule, queries: Tensor, keys: Tensor) -> Bool[Tensor, "query key"]:
    """Say what some queries of the first sequence see."""
    first = torch.zeros(1, dtype=torch.long, device=queries.device)
    return weights.visible(queries, keys, first)[0, 0].expand(len(queries), len(keys))


def _bias(bias: float | Tensor, queries: Tensor, keys: Tensor) -> float | Tensor:
    if not isinstance(bias, Tensor):
        return bias
    found = accurate(bias[0])
    found = found if found.shape[-2] == 1 else found[:, queries]
    return found if found.shape[-1] == 1 else found[..., keys]
