"""Records from what TransformerLens has cached.

TransformerLens forms every pattern, so this is for texts of a few hundred tokens; a model of
this package or of transformers is better recorded as it runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from dva_lens.recording.from_arrays import Output, Patterns, layer_of, record_of, windows_of
from dva_lens.recording.norms import stream_norms
from dva_lens.recording.padded import layout_of, of_pairs
from dva_lens.records import LayerRecord, Record
from dva_lens.sites import SITES

PATTERN, SCORES = "blocks.{}.attn.hook_pattern", "blocks.{}.attn.hook_attn_scores"
VALUE, STREAM_AFTER = "blocks.{}.attn.hook_v", "blocks.{}.hook_resid_post"


def from_cache(
    cache: Any,
    *,
    lengths: Int[np.ndarray, "sequence"] | None = None,
    mask: Any = None,
    causal: bool = True,
    window: int | Sequence[int | None] | None = None,
) -> Record:
    """Return the record of an `ActivationCache`: its patterns, and values and stream if cached.

    Patterns are taken where they are cached. Scores stand in for them only after a look at
    what they are: some attentions cache weights under the name of scores, and masked scores may
    be the smallest number of the dtype instead of minus infinity. A learned sink cannot be seen
    in scores, so models that have one need their patterns cached. Layers whose patterns are not
    in the cache are recorded as absent, with that reason.

    Parameters
    ----------
    cache : ActivationCache, or mapping of names to tensors
        What `run_with_cache` returns.
    lengths : integers (sequence), optional
        How many positions of each sequence are real; default: all.
    mask : booleans (sequence, position), optional
        Which positions are real, in place of `lengths`: for texts padded on the left.
    causal : bool
        Whether a query sees itself and earlier keys only.
    window : int, or one or None per layer, optional
        How many keys back a query sees, itself included.

    Raises
    ------
    KeyError
        If the cache holds no pattern at all.
    ValueError
        If an array cannot be weights.

    Examples
    --------
    With TransformerLens, the cache is what `model.run_with_cache(tokens)` returns beside logits.

    >>> from dva_lens.measuring import describe
    >>> pattern = torch.ones(1, 2, 8, 8).tril() / torch.arange(1, 9)[:, None]
    >>> cache = {"blocks.0.attn.hook_pattern": pattern, "blocks.1.attn.hook_pattern": pattern}
    >>> data = describe(from_cache(cache), statistics=["entropy"])
    >>> data["entropy"].sizes["layer"], data["entropy"].sizes["head"]
    (2, 2)
    """
    held = getattr(cache, "cache_dict", cache)
    single = not getattr(cache, "has_batch_dim", True)
    held = {name: each[None] if single else each for name, each in held.items()}
    cached = _cached(held)
    depth, first = cached[-1] + 1, weights_of(held, cached[0])
    sequences, _, _, positions = first.shape
    layout = layout_of(mask, lengths, (sequences, positions))
    counts, places = layout.lengths.numpy(), positions if layout.is_plain else layout.longest
    found, windows = [], windows_of(window, depth)
    for layer in range(depth):
        if layer not in cached:
            reason = f"the cache does not hold the pattern of layer {layer}"
            found.append(LayerRecord(why_not=dict.fromkeys(SITES, reason)))
            continue
        value, stream = (held.get(name.format(layer)) for name in (VALUE, STREAM_AFTER))
        record = layer_of(
            of_pairs(layout, weights_of(held, layer)),
            None if value is None else layout.unpad(value.transpose(1, 2)),
            output_of(getattr(cache, "model", None), layer),
            lengths=counts,
            causal=causal,
            window=windows[layer],
        )
        sizes = None if stream is None else stream_norms(layout.unpad(stream), counts)
        found.append(replace(record, stream=sizes))
    return record_of(found, counts, places, backend="patterns", dtype=str(first.dtype))


def weights_of(held: Mapping[str, Tensor], layer: int) -> Patterns:
    """Return the weights of a layer: its cached pattern, or what its cached scores stand for.

    Raises
    ------
    KeyError
        The cache holds neither pattern nor scores of the layer.
    """
    if PATTERN.format(layer) in held:
        return held[PATTERN.format(layer)]
    if SCORES.format(layer) not in held:
        raise KeyError(
            f"The cache holds neither {PATTERN.format(layer)!r} nor {SCORES.format(layer)!r}; "
            f"run_with_cache with a names_filter that keeps patterns."
        )
    scores = held[SCORES.format(layer)].float()
    rows = scores.sum(dim=-1)
    if bool((scores >= 0).all()) and torch.allclose(rows, torch.ones_like(rows), atol=1e-3):
        return scores  # weights under the name of scores
    smallest = torch.finfo(held[SCORES.format(layer)].dtype).min / 2
    return torch.softmax(scores.masked_fill(scores <= smallest, -torch.inf), dim=-1)


def output_of(model: Any, layer: int) -> Output | None:
    """Return W_O of a layer of a TransformerLens model, or None where there is no model."""
    if model is None:
        return None
    found = getattr(model.blocks[layer].attn, "W_O", None)
    return found if isinstance(found, Tensor) and found.ndim == 3 else None


def _cached(held: Mapping[str, Tensor]) -> list[int]:
    """Return the layers whose patterns, or scores, are in a cache."""
    named = {
        int(name.split(".")[1])
        for name in held
        if name.startswith("blocks.") and name.endswith((PATTERN[10:], SCORES[10:]))
    }
    if not named:
        raise KeyError(
            f"The cache must hold the pattern of a layer, such as {PATTERN.format(0)!r}; none of "
            f"its {len(held)} activations is one."
        )
    return sorted(named)
