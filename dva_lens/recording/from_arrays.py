"""Records of attention that somebody hands over: patterns, or plain queries and keys."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static, Values, per_query_head
from dva_lens.recording.layout import Layout
from dva_lens.recording.norms import accurate, gram_of, value_mix, value_norms, written_norms
from dva_lens.recording.padded import layout_of, of_pairs
from dva_lens.recording.patterns import static_dynamics, summary_of
from dva_lens.recording.recorder import AttentionCall, Recorder
from dva_lens.records import LayerRecord, Record
from dva_lens.sites import DYNAMICS, MIX, SUMMARY, VALUES, WRITTEN

Patterns = Float[Tensor, "sequence head query key"]
LayerValues = Float[Tensor, "sequence kv_head key width"]
Output = Float[Tensor, "head width model"]
Layers = Tensor | np.ndarray | Sequence[Tensor | np.ndarray]


def from_patterns(  # noqa: PLR0913  (what there is to say of a pattern)
    pattern: Layers,
    values: Layers | None = None,
    *,
    output: Layers | None = None,
    lengths: Int[np.ndarray, "sequence"] | None = None,
    mask: Any = None,
    causal: bool = True,
    window: int | Sequence[int | None] | None = None,
) -> Record:
    """Return the record of patterns: one layer of (sequence, head, query, key), or several.

    Parameters
    ----------
    pattern : (sequence, head, query, key), or one such per layer
        Weights after normalisation. Rows that sum to less than one are kept as they are.
    values : (sequence, kv_head, key, width), or one such per layer, optional
        What the weights multiply; statistics of values are NaN without them.
    output : (head, width, model), or one such per layer, optional
        W_O; statistics of what is written are NaN without it.
    lengths : integers (sequence), optional
        How many positions of each sequence are real; default: all. Those at or beyond are
        padding and never looked at.
    mask : booleans (sequence, position), optional
        Which positions are real, in place of `lengths`: for texts padded on the left.
    causal : bool
        Whether a query sees itself and earlier keys only.
    window : int, or one or None per layer, optional
        How many keys back a query sees, itself included.

    Raises
    ------
    ValueError
        If shapes do not fit each other, or an array cannot be weights: negative entries, rows
        above one, or weight on keys that a query cannot see.
    MemoryError
        If the working arrays exceed the budget.

    Examples
    --------
    >>> from dva_lens.measuring import describe
    >>> scores = torch.randn(2, 4, 16, 16)  # sequence, head, query, key
    >>> future = torch.ones(16, 16, dtype=torch.bool).triu(1)
    >>> pattern = torch.softmax(scores.masked_fill(future, -torch.inf), dim=-1)
    >>> data = describe(from_patterns(pattern), statistics=["entropy", "first_key_mass"])
    >>> sorted(data.entropy.dims)
    ['head', 'layer', 'sequence', 'span']
    """
    layers = _listed(pattern)
    shape = layers[0].shape
    layout = layout_of(mask, lengths, (shape[0], shape[-1]))
    each_value = [None] * len(layers) if values is None else _listed(values)
    each_output = [None] * len(layers) if output is None else _listed(output, lone=3)
    if not len(layers) == len(each_value) == len(each_output):
        raise ValueError(
            f"Patterns, values and output matrices must come for the same layers, got "
            f"{len(layers)}, {len(each_value)} and {len(each_output)}."
        )
    counts = layout.lengths.numpy()
    windows = windows_of(window, len(layers))
    found = [
        layer_of(
            of_pairs(layout, one),
            None if value is None else layout.unpad(value),
            out,
            lengths=counts,
            causal=causal,
            window=seen,
        )
        for one, value, out, seen in zip(layers, each_value, each_output, windows, strict=True)
    ]
    places = shape[-1] if layout.is_plain else layout.longest
    return record_of(found, counts, places, backend="patterns", dtype=str(layers[0].dtype))


def from_qk(  # noqa: PLR0913  (an attention has this many parts)
    query: Tensor | np.ndarray,
    key: Tensor | np.ndarray,
    values: Values | Tensor | np.ndarray | None = None,
    *,
    weights: Rule | None = None,
    output: Tensor | np.ndarray | None = None,
    lengths: Int[np.ndarray, "sequence"] | None = None,
    backend: str = "auto",
) -> Record:
    """Return the record of one attention computed here from its queries and keys.

    No pattern is formed. Arrays may be of torch or of numpy.

    Parameters
    ----------
    query, key : (sequence, head, query, width) and (sequence, kv_head, key, width)
        What the scores are made of, so after rotary position.
    values : (sequence, kv_head, key, width), or `kernels.values.Values`, optional
        What the weights multiply.
    weights : Rule, optional
        How scores become weights; default: causal softmax with scale 1/sqrt(width).
    output : (head, width, model), optional
        W_O; statistics of what is written are NaN without it.
    lengths : integers (sequence), optional
        How many positions of each sequence are real; default: all.
    backend : str
        The kernel: "auto", "exact", "blocked", "fused", "reference".

    Raises
    ------
    KeyError
        If the backend is unknown.
    ValueError
        If shapes do not fit each other.

    Examples
    --------
    >>> query, key, value = torch.randn(3, 2, 4, 128, 8)  # sequence, head, position, width
    >>> found = from_qk(query, key, value, output=torch.randn(4, 8, 32))
    >>> found.layers[0].summary.first_mass.shape  # sequence, head, query
    (2, 4, 128)
    """
    query, key = torch.as_tensor(query), torch.as_tensor(key)
    if weights is None:
        weights = Rule(scale=query.shape[-1] ** -0.5)
    has_values = values is not None
    if not isinstance(values, Values):
        values = Static(key if values is None else torch.as_tensor(values))
    counts = torch.full((len(query),), query.shape[2]) if lengths is None else lengths
    sites = [SUMMARY, DYNAMICS, MIX, VALUES, WRITTEN] if has_values else [SUMMARY]
    recorder = Recorder(sites, backend, query.device)
    recorder.layout = Layout.plain(torch.as_tensor(counts).to(query.device), query.shape[2])
    sources = {"own": values.value} if isinstance(values, Static) and has_values else None
    with torch.no_grad():
        recorder.attention(
            0,
            AttentionCall(query, key, values, weights),
            gram=None if output is None else gram_of(torch.as_tensor(output)),
            sources=sources,
        )
    if output is None:
        recorder.skip(0, WRITTEN, "no output projection was passed")
    taken = recorder.take(1)
    return record_of(
        taken, recorder.lengths, query.shape[2], backend=recorder.backend, dtype=str(query.dtype)
    )


def windows_of(window: int | Sequence[int | None] | None, depth: int) -> Sequence[int | None]:
    """Return the window of each layer.

    Raises
    ------
    ValueError
        The windows are not as many as the layers.
    """
    windows = list(window) if isinstance(window, Sequence) else [window] * depth
    if len(windows) != depth:
        raise ValueError(f"window must be one number or one of {depth}, got {len(windows)}.")
    return windows


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
    dtype = str(pattern.dtype).removeprefix("torch.")
    pattern, heads = accurate(pattern), pattern.shape[1]
    per_head = None if value is None else per_query_head(accurate(value), heads)
    values = None if per_head is None else per_head.cpu().numpy()
    weights = pattern.cpu().numpy()
    summary = summary_of(
        weights, lengths, causal=causal, window=window, values=values, dtype=dtype
    )
    if value is None or per_head is None or values is None:
        reason = "no values came with the pattern"
        return LayerRecord(
            summary=summary,
            why_not=dict.fromkeys(("values", "written", "mix", "dynamics"), reason),
        )
    record = LayerRecord(
        summary=summary,
        dynamics=static_dynamics(summary, values),
        mix=value_mix({"own": value}, lengths),
        values=value_norms(Static(value), mean=None, lengths=lengths),
    )
    if output is None:
        return replace(record, why_not={"written": "no output projection was passed"})
    mass, mixed = pattern[..., 0], pattern @ per_head
    sizes = written_norms(
        Static(accurate(value)), mixed, mass, gram_of(output), mean=None, lengths=lengths
    )
    return replace(record, written=sizes)


def record_of(
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
