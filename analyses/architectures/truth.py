"""The record that a model's own eager attention gives, formed from whole patterns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers.pytorch_utils import Conv1D

from dva_lens.kernels.rule import Rule
from dva_lens.recording.from_arrays import layer_of
from dva_lens.recording.norms import gram_of, stream_norms
from dva_lens.recording.tiles import pattern_tiles
from dva_lens.records import LayerRecord, PassReader, Record, RowTile

from .across import layer_across
from .eager import Watched

Lengths = Int[np.ndarray, "sequence"]
OUTPUTS = (
    "o_proj", "out_proj", "c_proj", "dense", "out_lin", "wo", "proj", "to_out", "projection",
    "output", "fc_out", "output_linear", "Wo", "o",
)  # fmt: skip
"""What families call their output projection; here it is looked up, in recording it is tried."""


def layer_truth(
    watched: Watched,
    output: Float[Tensor, "head width model"] | None,
    own: Record,
    reader: PassReader,
) -> LayerRecord:
    """Return the record of one attention from its pattern, over the texts of another record."""
    pattern, value = watched.pattern.detach(), watched.value.detach()
    lengths, keys = own.lengths, own.lengths if own.keys is None else own.keys.lengths
    seen = _real(watched.seen(), lengths, keys)
    clean = torch.where(torch.tensor(seen)[:, None], pattern, 0.0)
    if own.keys is None:
        found = layer_of(clean, value, output, lengths=lengths, causal=False, window=None)
    else:
        found = layer_across(clean, value, output, lengths=lengths, key_lengths=keys)
    if found.summary is None:
        return found
    visible = np.where(np.arange(seen.shape[1]) < lengths[:, None], seen.sum(2), -1)
    viewers = np.where(np.arange(seen.shape[2]) < keys[:, None], seen.sum(1), -1)
    tiles = reader.tiles(_tiles(clean, value, output, own=own, seen=seen))
    return replace(
        found, summary=replace(found.summary, visible=visible, viewers=viewers), tiles=tiles
    )


def _real(
    seen: Bool[np.ndarray, "row query key"], lengths: Lengths, keys: Lengths
) -> Bool[np.ndarray, "row query key"]:
    inside, behind = (
        np.arange(size) < each[:, None]
        for size, each in zip(seen.shape[1:], (lengths, keys), strict=True)
    )
    return seen & inside[:, :, None] & behind[:, None, :]


def _tiles(
    pattern: Tensor,
    value: Tensor,
    output: Tensor | None,
    *,
    own: Record,
    seen: Bool[np.ndarray, "row query key"],
) -> Iterator[tuple[int, Iterator[RowTile]]]:
    gram = None if output is None else gram_of(output)
    for row, (tokens, length) in enumerate(zip(own.key_tokens, own.lengths, strict=True)):
        words = tokens[tokens >= 0]
        allowed = torch.tensor(seen[row])

        def mask(_: Tensor, query: Tensor, key: Tensor, allowed: Tensor = allowed) -> Tensor:
            return allowed[query, key][None]

        rule = Rule(scale=1.0, causal=False, mask=mask)
        queries = None if own.keys is None else int(length)
        tiles = pattern_tiles(
            pattern[row], value[row], gram=gram, tokens=words, visible=rule, queries=queries
        )
        yield int(length), tiles


def output_of(
    attention: nn.Module, parents: Mapping[nn.Module, nn.Module], width: int
) -> nn.Linear | Conv1D | None:
    """Return the output projection of an attention by its name, beside or above it."""
    for place in (attention, parents.get(attention)):
        if place is None:
            continue
        for name, module in place.named_modules():
            named = not set(name.split(".")[-2:]).isdisjoint(OUTPUTS)
            if isinstance(module, nn.Linear | Conv1D) and named:
                into = module.weight.shape[0 if isinstance(module, Conv1D) else 1]
                if into == width:
                    return module
    return None


def with_stream(
    layer: LayerRecord,
    hidden: Float[Tensor, "sequence position channel"] | None,
    lengths: Lengths,
    reader: PassReader,
) -> LayerRecord:
    """Add what is said of the residual stream after a layer."""
    if hidden is None or hidden.ndim != 3:
        return layer
    clouds = (each[:n].detach().numpy() for each, n in zip(hidden, lengths, strict=True))
    return replace(layer, stream=stream_norms(hidden, lengths), geometry=reader.geometry(clouds))


def loss_of(logits: Tensor, wanted: Sequence[np.ndarray]) -> Float[np.ndarray, "_ _"]:
    """Return the loss at every position from logits, NaN where no token is wanted."""
    found = np.full(logits.shape[:2], np.nan)
    for row, tokens in enumerate(wanted):
        if len(tokens):
            target = torch.as_tensor(tokens)
            losses = cross_entropy(logits[row, : len(target)], target, reduction="none")
            found[row, : len(target)] = losses.numpy()
    return found


def record_of_layers(
    layers: Sequence[LayerRecord], own: Record, loss: Float[np.ndarray, "_ _"] | None
) -> Record:
    """Return the record beside one of this package, of the same tokens."""
    facts: dict[str, Any] = {"backend": "eager"}
    return Record(own.tokens, own.lengths, tuple(layers), loss, facts, own.keys)
