"""Records from what TransformerLens has cached, from patterns, and from plain queries and keys.

TransformerLens forms every pattern, so these are for texts of a few hundred tokens; a model of
this package or of transformers is better recorded as it runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.kernels.values import Static, Values, per_query_head
from dva_lens.kernels.weights import Weights
from dva_lens.recording.layout import Layout
from dva_lens.recording.patterns import static_dynamics, summary_of
from dva_lens.recording.recorder import Call, Recorder
from dva_lens.recording.sizes import gram_of, stream_sizes, value_mix, value_sizes
from dva_lens.records import LayerRecord, Record
from dva_lens.sites import DYNAMICS, MIX, SUMMARY, VALUES

Patterns = Float[Tensor, "sequence head query key"]
LayerValues = Float[Tensor, "sequence kv_head key width"]
Output = Float[Tensor, "head width model"]
Layers = Tensor | np.ndarray | Sequence[Tensor | np.ndarray]
PATTERN, SCORES = "blocks.{}.attn.hook_pattern", "blocks.{}.attn.hook_attn_scores"
VALUE, STREAM_AFTER = "blocks.{}.attn.hook_v", "blocks.{}.hook_resid_post"


def from_patterns(
    pattern: Layers,
    values: Layers | None = None,
    *,
    output: Layers | None = None,
    lengths: Int[np.ndarray, "sequence"] | None = None,
    causal: bool = True,
    window: int | None = None,
) -> Record:
    """Return the record of patterns: one layer of (sequence, head, query, key), or several.

    `values` are (sequence, kv_head, key, width) and `output` is W_O as (head, width, model), one
    per layer. Rows that sum to less than one are kept as they are. Queries at or beyond
    `lengths` are padding and never looked at.
    """
    layers = _listed(pattern)
    shape = layers[0].shape
    if lengths is None:
        lengths = np.full(shape[0], shape[-1])
    each_value = [None] * len(layers) if values is None else _listed(values)
    each_output = [None] * len(layers) if output is None else _listed(output, lone=3)
    if not len(layers) == len(each_value) == len(each_output):
        raise ValueError(
            f"Patterns, values and output matrices must come for the same layers, got "
            f"{len(layers)}, {len(each_value)} and {len(each_output)}."
        )
    lengths = np.asarray(lengths)
    found = [
        layer_of(one, value, out, lengths=lengths, causal=causal, window=window)
        for one, value, out in zip(layers, each_value, each_output, strict=True)
    ]
    return _record(found, lengths, shape[-1], backend="patterns", dtype=str(layers[0].dtype))


def from_qk(  # noqa: PLR0913  (an attention has this many parts)
    query: Float[Tensor, "sequence head query width"],
    key: Float[Tensor, "sequence kv_head key width"],
    values: Values | LayerValues | None = None,
    *,
    weights: Weights | None = None,
    output: Output | None = None,
    lengths: Int[np.ndarray, "sequence"] | None = None,
    backend: str = "auto",
) -> Record:
    """Return the record of one attention computed here from its queries and keys.

    Queries and keys are what the scores are made of, so after rotary position; `weights` is
    causal softmax with scale 1/sqrt(width) unless given. No pattern is formed.
    """
    if weights is None:
        weights = Weights(scale=query.shape[-1] ** -0.5)
    has_values = values is not None
    if values is None:
        values = Static(key)
    elif isinstance(values, Tensor):
        values = Static(values)
    counts = torch.full((len(query),), query.shape[2]) if lengths is None else lengths
    sites = [SUMMARY, DYNAMICS, MIX, VALUES] if has_values else [SUMMARY]
    recorder = Recorder(sites, backend, query.device)
    recorder.layout = Layout.plain(torch.as_tensor(counts).to(query.device), query.shape[2])
    sources = {"own": values.value} if isinstance(values, Static) and has_values else None
    with torch.no_grad():
        recorder.attention(
            0,
            Call(query, key, values, weights),
            gram=None if output is None else gram_of(output),
            sources=sources,
        )
    if output is None:
        recorder.skip(0, VALUES, "no output projection was passed")
    taken = recorder.take(1)
    return _record(
        taken, recorder.lengths, query.shape[2], backend=recorder.backend, dtype=str(query.dtype)
    )


def from_cache(
    cache: Mapping[str, Tensor],
    *,
    lengths: Int[np.ndarray, "sequence"] | None = None,
    causal: bool = True,
    window: int | None = None,
) -> Record:
    """Return the record of an `ActivationCache`: its patterns, and values and stream if cached.

    Patterns are taken where they are cached. Scores stand in for them only after a look at
    what they are: some attentions cache weights under the name of scores, and masked scores may
    be the smallest number of the dtype instead of minus infinity. A learned sink cannot be seen
    in scores, so models that have one need their patterns cached.
    """
    held = getattr(cache, "cache_dict", cache)
    single = not getattr(cache, "has_batch_dim", True)
    held = {name: each[None] if single else each for name, each in held.items()}
    depth = _depth(held)
    sequences, _, _, positions = held.get(PATTERN.format(0), held.get(SCORES.format(0))).shape
    lengths = np.full(sequences, positions) if lengths is None else np.asarray(lengths)
    found = []
    for layer in range(depth):
        value, stream = (held.get(name.format(layer)) for name in (VALUE, STREAM_AFTER))
        record = layer_of(
            weights_of(held, layer),
            None if value is None else value.transpose(1, 2),
            output_of(getattr(cache, "model", None), layer),
            lengths=lengths,
            causal=causal,
            window=window,
        )
        sizes = None if stream is None else stream_sizes(stream, lengths)
        found.append(replace(record, stream=sizes))
    dtype = str(held[PATTERN.format(0)].dtype if PATTERN.format(0) in held else torch.float32)
    return _record(found, lengths, positions, backend="patterns", dtype=dtype)


def weights_of(held: Mapping[str, Tensor], layer: int) -> Patterns:
    """Return the weights of a layer: its cached pattern, or what its cached scores stand for."""
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


def _depth(held: Mapping[str, Tensor]) -> int:
    depth = 0
    while PATTERN.format(depth) in held or SCORES.format(depth) in held:
        depth += 1
    cached = sum(name.endswith(("attn.hook_pattern", "attn.hook_attn_scores")) for name in held)
    if depth == 0 or cached > 2 * depth:
        raise KeyError(
            f"The cache must hold the pattern of every layer from 0 on, such as "
            f"{PATTERN.format(0)!r}; it holds {len(held)} activations, {cached} of them patterns "
            f"or scores, and layer {depth} is missing."
        )
    return depth


def _listed(layers: Any, lone: int = 4) -> list[Tensor]:
    """Return one tensor per layer, from one layer or several, of torch or numpy."""
    if isinstance(layers, Tensor | np.ndarray):
        layers = [layers] if layers.ndim == lone else list(layers)
    found = [torch.as_tensor(each).detach() for each in layers]
    if not found or any(each.ndim != lone for each in found):
        shapes = [tuple(each.shape) for each in found]
        raise ValueError(f"Expected {lone} dimensions per layer, got shapes {shapes}.")
    return found


def layer_of(
    pattern: Patterns,
    value: LayerValues | None,
    output: Output | None,
    *,
    lengths: Int[np.ndarray, "sequence"],
    causal: bool,
    window: int | None,
) -> LayerRecord:
    """Return the record of one pattern, and of its values where there are any."""
    pattern, heads = _readable(pattern), pattern.shape[1]
    per_head = None if value is None else per_query_head(_readable(value), heads)
    values = None if per_head is None else per_head.cpu().numpy()
    weights = pattern.cpu().numpy()
    summary = summary_of(weights, lengths, causal=causal, window=window, values=values)
    if value is None or per_head is None or values is None:
        reason = "no values came with the pattern"
        return LayerRecord(
            summary=summary, why_not=dict.fromkeys(("values", "mix", "dynamics"), reason)
        )
    record = LayerRecord(
        summary=summary,
        dynamics=static_dynamics(summary, values),
        mix=value_mix({"own": value}, lengths),
    )
    if output is None:
        return replace(record, why_not={"values": "no output projection was passed"})
    mass, mixed = pattern[..., 0], pattern @ per_head
    sizes = value_sizes(
        Static(_readable(value)), mixed, mass, gram_of(output), mean=None, lengths=lengths
    )
    return replace(record, values=sizes)


def _readable(tensor: Tensor) -> Tensor:
    tensor = tensor.detach()
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _record(
    layers: Sequence[LayerRecord],
    lengths: Int[np.ndarray, "sequence"],
    positions: int,
    *,
    backend: str,
    dtype: str,
) -> Record:
    """Return a record whose tokens are unknown: every real position holds token 0."""
    tokens = np.where(np.arange(positions) < np.asarray(lengths)[:, None], 0, -1)
    facts = {"backend": backend, "dtype": dtype.removeprefix("torch.")}
    return Record(tokens, np.asarray(lengths), tuple(layers), None, facts)


def is_bridge(model: object) -> bool:
    """Say whether a model is a TransformerLens bridge, without importing bridges."""
    return any(
        each.__name__ == "TransformerBridge" and each.__module__.startswith("transformer_lens")
        for each in type(model).__mro__
    )
