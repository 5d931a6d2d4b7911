"""Whether the values of a model truly depend on the pair, from values of texts put together.

How many static heads a layer would need shows only on many more keys than a value has channels,
and keys must be drawn evenly, not by attention. So some queries and keys of all texts are pooled,
and every query meets every key, whether or not it sees it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any, final

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from dva_lens import axes
from dva_lens.diagnostics.pooling import Drawn, Need, drawn_from
from dva_lens.kernels.attention import Attend
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Values, per_query_head
from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.prepare import prepare_tokens
from dva_lens.models.decoder import Decoder
from dva_lens.recording.fidelity import evaluating
from dva_lens.statistics.extended.dynamic import OperatorRank, non_affine_share

MAPPED = 32
AT_ONCE = 1 << 23
ABOUT = {
    "operator_rank": (
        "directions of keys that hold 99 % of the energy of v[(query, channel), key], over the "
        "width of a value: how many static heads would be needed; at most 1 for static values"
    ),
    "non_affine_share": (
        "1 - R^2, on keys held out, of v_ij predicted by an affine map of the static value, one "
        "map per query; 0 where the value is static or gated by the query alone, and above 1 "
        "where the text is too short to fit the maps"
    ),
}


@final
@dataclass(frozen=True)
class _Pool:
    """Values of one layer at chosen positions of all texts, and the static values under them."""

    values: Values
    static: Float[Tensor, "1 kv_head key channel"]

    @classmethod
    def of(cls, parts: Sequence["_Pool"]) -> "_Pool":
        """Put the positions of several texts in one row."""
        return cls(
            _over([part.values for part in parts], lambda each: torch.cat(each, dim=2)),
            torch.cat([part.static for part in parts], dim=2),
        )


def dynamic_diagnostics(
    model: Any,
    text_or_tokens: Any,
    *,
    seed: int = 0,
    length: int | None = None,
    documents: Sequence[str] | None = None,
    tokenizer: Any = None,
) -> xr.Dataset:
    """Run a model of this package over a text and ask whether its values depend on the pair.

    Parameters
    ----------
    model : Decoder
        A model of this package; others have static values.
    text_or_tokens, length, documents, tokenizer
        As in `dva_lens.measure`. All texts together need at least 8 tokens per channel of a
        value, and a little more for the maps.
    seed : int
        Decides which positions are drawn.

    Returns
    -------
    xarray.Dataset
        `operator_rank` and `non_affine_share` over layer and head. Read them beside
        `value_decomposition` and `dynamism`: values that are a key's plus a query's part move
        with the query and collapse all the same.

    Raises
    ------
    TypeError
        `model` is not a model of this package.
    """
    if not isinstance(model, Decoder):
        raise TypeError(
            f"The values of a {type(model).__name__} are static, one per key; whether values "
            f"depend on the pair can be asked of models of this package."
        )
    found = prepare_tokens(model, text_or_tokens, InputOptions(length, None, documents, tokenizer))
    rows = list(found.rows())
    need = Need.of(model)
    drawn = drawn_from([row.shape[1] for row in rows], need, seed)
    pools = _pools(model, rows, drawn.positions)
    numbers = [_of_layer(pool, drawn, need, seed) for pool in pools]
    data = {
        name: ((axes.LAYER, axes.HEAD), np.array([each[name] for each in numbers]), {
            "meaning": meaning, "units": "1"
        })
        for name, meaning in ABOUT.items()
    }  # fmt: skip
    places = {axes.LAYER: np.arange(len(pools)), axes.HEAD: np.arange(model.config.heads)}
    facts = {
        "model": found.adapter.name,
        "queries": len(drawn.queries),
        "keys": len(drawn.keys),
        "seed": seed,
    }
    return xr.Dataset(data, coords=places, attrs=facts)


@torch.no_grad()
def _pools(
    model: Decoder, rows: Sequence[np.ndarray], positions: Sequence[np.ndarray]
) -> list[_Pool]:
    device = next(model.parameters()).device
    parts: list[list[_Pool]] = [[] for _ in model.blocks]
    with evaluating(model):
        for row, kept in zip(rows, positions, strict=True):
            if not len(kept):
                continue
            chosen = torch.as_tensor(kept, device=device)
            with _listening(model, chosen) as heard:
                model(torch.as_tensor(row, device=device), stop_at_layer=len(model.blocks))
            for layer, pool in heard.items():
                parts[layer].append(pool)
    return [_Pool.of(each) for each in parts]


@contextmanager
def _listening(model: Decoder, chosen: Tensor) -> Iterator[dict[int, _Pool]]:
    """Keep what every attention multiplies, at the chosen positions."""
    heard: dict[int, _Pool] = {}
    attentions = model.attentions
    before = {layer: each.attend for layer, each in attentions.items()}
    try:
        for layer, attention in attentions.items():
            attention.attend = _heard(attention, chosen, layer, heard)
        yield heard
    finally:
        for layer, own in before.items():
            attentions[layer].attend = own


def _heard(attention: Any, chosen: Tensor, layer: int, heard: dict[int, _Pool]) -> Attend:
    own: Attend = attention.attend

    def attend(query: Tensor, key: Tensor, values: Values, weights: Rule) -> Tensor:
        summands: Mapping[str, Tensor] = attention.value_parts
        static = torch.stack(list(summands.values())).sum(0)[:, :, chosen]
        kept = _over([values], lambda each: each[0][:, :, chosen])
        heard[layer] = _Pool(kept, static)
        return own(query, key, values, weights)

    return attend


def _over(parts: Sequence[Values], change: Any) -> Values:
    """Return values whose operands, (batch, head, position, ...) each, are put together."""
    held: Any = parts[0]
    return replace(
        held,
        **{
            each.name: change([getattr(part, each.name) for part in parts])
            for each in fields(held)
            if each.name not in held.shared
        },
    )


def _of_layer(pool: _Pool, drawn: Drawn, need: Need, seed: int) -> dict[str, list[float]]:
    """Return both numbers for every head."""
    queries, keys = torch.as_tensor(drawn.queries), torch.as_tensor(drawn.keys)
    ranks: list[OperatorRank] = []
    for values in _formed(pool, queries, keys[: need.ranked], need.heads):
        now = [OperatorRank.of(each) for each in values]
        pairs = zip(ranks, now, strict=True) if ranks else ()
        ranks = [mine.merge(more) for mine, more in pairs] or now
    mapped = np.concatenate(list(_formed(pool, queries[:MAPPED], keys, need.heads)), axis=1)
    static = per_query_head(pool.static, need.heads)[0][:, keys].float().cpu().numpy()
    shares = [
        non_affine_share(dynamic, plain, seed=seed)
        for dynamic, plain in zip(mapped, static, strict=True)
    ]
    return {"operator_rank": [rank.summary() for rank in ranks], "non_affine_share": shares}


def _formed(
    pool: _Pool, queries: Tensor, keys: Tensor, heads: int
) -> Iterator[Float[np.ndarray, "head query key width"]]:
    """Form v_ij of some queries at a time."""
    width = pool.values.pairs(queries[:1], keys[:1], heads).shape[-1]
    for some in queries.split(max(1, AT_ONCE // (heads * len(keys) * width))):
        yield pool.values.pairs(some, keys, heads)[0].float().cpu().numpy()
