"""The largest edges of single queries: where each looks, with what is left, and never a pattern.

A query keeps its largest weights, and beside each the share of the output that comes through it:
a_ij <W_O v_ij, W_O o_i> / |W_O o_i|^2, the signed projection share, which totals one over all
keys. What a query gives to other keys and what a key gets from edges that are not kept stand
beside them, so that nothing is lost in silence: kept and not kept total the row mass. A weight
below zero, which heads that compose their weights may give, is never kept.

`edges_of_rows` is the specification: whole rows, sorted, in float64. `edges_of_call` computes the
same from queries and keys, with the output that the layer computed anyway; of values that depend
on the query it asks for those of kept pairs alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static, Values, per_query_head
from dva_lens.recording.key_values import key_values_of
from dva_lens.recording.norms import Gram, accurate
from dva_lens.recording.tiles import rows_of
from dva_lens.records import RowTile
from dva_lens.sites import AttentionEdges, KeyValues

COUNT = 16
"""Edges that a query keeps."""
ROWS = 128


@final
@dataclass(frozen=True)
class Kept:
    """How much is kept of one sequence: its length, its first queries, and edges of each."""

    length: int
    queries: int
    count: int = COUNT

    @property
    def ranks(self) -> int:
        """How many edges a query keeps at most; no more than there are keys."""
        return min(self.count, self.length)


@final
@dataclass(frozen=True)
class Written:
    """What one attention mixed, and the Gram matrix of W_O that writes it, where it is known."""

    out: Float[Tensor, "1 head query value_width"]
    gram: Gram | None


def edges_of_rows(tiles: Iterable[RowTile], kept: Kept) -> AttentionEdges:
    """Return the edges of the first queries of one sequence from whole rows of its pattern.

    Of equal weights the earlier keys are kept.
    """
    parts: list[AttentionEdges] = []
    for tile in tiles:
        rows = int((tile.queries < kept.queries).sum())
        if rows:
            parts.append(_of_rows(tile, rows, kept.ranks))
    return AttentionEdges(
        *(np.concatenate([getattr(part, name) for part in parts], 2) for name in _BY_QUERY),
        rest_by_key=np.sum([part.rest_by_key for part in parts], axis=0),
        visible=np.concatenate([part.visible for part in parts], axis=1),
    )


_BLANK = {"key": -1.0, "visible": -1.0}
_BY_QUERY = ("key", "weight", "share", "rest")


def _of_rows(tile: RowTile, rows: int, count: int) -> AttentionEdges:
    weights = tile.weights[:, :rows].astype(np.float64)
    key = np.argsort(-weights, axis=-1, kind="stable")[..., :count]
    weight = np.take_along_axis(weights, key, -1)
    rest = weights.copy()
    np.put_along_axis(rest, key, np.minimum(weight, 0.0), -1)
    share = np.full_like(weight, np.nan)
    if tile.gram is not None:
        values = tile.values.astype(np.float64)
        values = values[:, :rows] if values.ndim == 4 else values[:, None]
        values = values.repeat(len(weights) // len(values), axis=0)
        mixed = (weights[..., None, :] @ values)[..., 0, :]
        written = mixed @ tile.gram.astype(np.float64)
        along = weights * (values @ written[..., None])[..., 0]
        power = (mixed * written).sum(-1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.take_along_axis(np.where(power > 0, along / power, np.nan), key, -1)
    visible = tile.seen[:rows].sum(-1)
    return _batched(key, weight, share, rest.sum(-1), rest.sum(1), visible)


def edges_of_call(
    query: Float[Tensor, "1 head query inner"],
    key: Float[Tensor, "1 kv_head key inner"],
    values: Values,
    rule: Rule,
    written: Written,
    kept: Kept,
) -> AttentionEdges:
    """Return the edges of the first queries of one sequence.

    Of equal weights any may be kept.
    """
    keys = torch.arange(kept.length, device=query.device)
    parts: list[tuple[Tensor, ...]] = []
    unkept = torch.zeros(query.shape[1], kept.length, dtype=torch.float64, device=query.device)
    received = torch.zeros_like(unkept)
    for rows in keys[: kept.queries].split(ROWS):
        weights, seen = rows_of(query, key, rule, rows, keys)
        weight, place = weights.topk(kept.ranks, dim=-1)
        rest = weights.scatter(-1, place, weight.clamp(max=0.0))
        unkept += rest.sum(dim=1, dtype=torch.float64)
        received += weights.sum(dim=1, dtype=torch.float64)
        share = torch.full_like(weight, torch.nan)
        if written.gram is not None:
            each = _values_at(values, rows, place)
            share = _shares(weight, each, written.out[0, :, rows], written.gram)
        parts.append((place, weight, share, rest.sum(dim=-1), seen.sum(dim=-1)[None]))
    place, weight, share, rest, visible = (
        torch.cat(each, dim=1).cpu().numpy() for each in zip(*parts, strict=True)
    )
    found = _batched(place, weight, share, rest, unkept.cpu().numpy(), visible[0])
    return replace(found, values=key_values_of(query, key, values, rule, received, kept.queries))


def _shares(
    weight: Float[Tensor, "head row rank"],
    values: Float[Tensor, "head row rank value_width"],
    out: Float[Tensor, "head row value_width"],
    gram: Gram,
) -> Float[Tensor, "head row rank"]:
    wide = torch.promote_types(gram.dtype, weight.dtype)
    out, gram = out.to(wide), gram.to(wide)
    written = out @ gram
    power = (written * out).sum(-1, keepdim=True)
    along = weight * (values.to(wide) @ written[..., None])[..., 0]
    return torch.where(power > 0, along / power, torch.nan).to(weight.dtype)


def _values_at(
    values: Values, rows: Int[Tensor, "row"], place: Int[Tensor, "head row rank"]
) -> Float[Tensor, "head row rank width"]:
    """Return the values that some queries receive from keys of their own."""
    heads = torch.arange(len(place), device=place.device)[:, None]
    if isinstance(values, Static):
        value = per_query_head(accurate(values.value), len(place))[0]
        return value[heads[..., None], place]
    found = []
    for at, row in enumerate(rows):
        needed, where = torch.unique(place[:, at], return_inverse=True)
        each = accurate(values.pairs(row[None], needed, len(place)))[0, :, 0]
        found.append(each[heads, where])
    return torch.stack(found, dim=1)


def _batched(
    key: np.ndarray,
    weight: np.ndarray,
    share: np.ndarray,
    rest: np.ndarray,
    by_key: np.ndarray,
    visible: np.ndarray,
) -> AttentionEdges:
    """Return the edges of one sequence, those without weight named as none."""
    none = weight <= 0
    key, weight = np.where(none, -1, key), np.where(none, 0.0, weight)
    share = np.where(none, np.nan, share)
    one = (key[None], weight[None], share[None], rest[None], by_key[None], visible[None])
    return AttentionEdges(*one)


def padded_edges(found: Sequence[AttentionEdges]) -> AttentionEdges:
    """Put the edges of sequences of unequal length, or of passes, together."""
    values = [each.values for each in found if each.values is not None]
    return AttentionEdges(
        *(
            _stacked([getattr(each, name) for each in found], _BLANK.get(name, np.nan))
            for name in (*_BY_QUERY, "rest_by_key", "visible")
        ),
        values=_padded_values(values) if len(values) == len(found) else None,
    )


def _padded_values(found: Sequence[KeyValues]) -> KeyValues:
    return KeyValues(
        *(
            _stacked([getattr(each, field.name) for each in found], _BLANK.get(field.name, np.nan))
            for field in fields(KeyValues)
        )
    )


def _stacked(arrays: Sequence[np.ndarray], blank: float) -> np.ndarray:
    shape = np.max([each.shape[1:] for each in arrays], axis=0)
    count = sum(len(each) for each in arrays)
    whole = np.full((count, *shape), blank, dtype=arrays[0].dtype)
    start = 0
    for each in arrays:
        whole[(slice(start, start + len(each)), *(slice(size) for size in each.shape[1:]))] = each
        start += len(each)
    return whole
