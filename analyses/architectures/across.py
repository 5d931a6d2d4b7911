"""The record of patterns whose queries and keys are of two texts, from one that is square."""

from dataclasses import fields, replace

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from dva_lens.recording.from_arrays import layer_of
from dva_lens.records import LayerRecord
from dva_lens.sites import AttentionSummary, ValueNorms, WrittenNorms

Lengths = Int[np.ndarray, "sequence"]
OF_KEYS = ("received", "late_received", "viewers")


def layer_across(
    pattern: Float[Tensor, "row head query key"],
    value: Float[Tensor, "row kv_head key width"],
    output: Float[Tensor, "head width model"] | None,
    *,
    lengths: Lengths,
    key_lengths: Lengths,
) -> LayerRecord:
    """Return the record of a pattern, formed where queries and keys are as many, and cut back.

    Nothing in it compares places of queries with places of keys.
    """
    queries, keys = pattern.shape[2:]
    places = max(queries, keys)
    square = pad(pattern, (0, places - keys, 0, places - queries))
    longer = pad(value, (0, 0, 0, places - keys))
    everywhere = np.full(len(pattern), places)
    found = layer_of(square, longer, output, lengths=everywhere, causal=False, window=None)
    if found.summary is None or found.values is None:
        return found
    numbers = {
        each.name: _cut(
            getattr(found.summary, each.name), key_lengths if each.name in OF_KEYS else lengths
        )
        for each in fields(AttentionSummary)
    }
    written = found.written
    if written is not None:
        written = WrittenNorms(_cut(written.norm, key_lengths), _cut(written.first, lengths))
    values = ValueNorms(_cut(found.values.norm, key_lengths))
    return replace(found, summary=AttentionSummary(**numbers), values=values, written=written)


def _cut(array: np.ndarray, lengths: Lengths) -> np.ndarray:
    """Return an array over positions as long as the longest text, blank beyond each."""
    cut = array[..., : lengths.max()]
    beyond = np.arange(cut.shape[-1]) >= lengths.reshape(-1, *(1,) * (cut.ndim - 1))
    blank = np.nan if np.issubdtype(cut.dtype, np.floating) else -1
    return np.where(beyond, np.array(blank, cut.dtype), cut)
