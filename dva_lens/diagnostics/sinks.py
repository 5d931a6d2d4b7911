"""The sinks of a model on a text: every one of them, with what its values and states do."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.data.tokenizer import token_texts
from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.prepare import prepare_tokens
from dva_lens.recording.record import RecordOptions, record_pass
from dva_lens.records import Record
from dva_lens.sites import STREAM, SUMMARY, WRITTEN
from dva_lens.statistics.extended.atlas import THRESHOLD, VIRTUAL, Sink, atlas
from dva_lens.statistics.extended.triad import relative_sizes

SINK = "sink"
RECORDED = RecordOptions((SUMMARY, WRITTEN, STREAM))
FIELDS = {
    "position": "where the sink stands; -1 is the virtual key of a learned sink",
    "token": "what stands there",
    "strength": "largest mean weight in any head, over the queries that see the position",
    "born": "first layer in which it is a sink of any head",
    "dies": "last such layer",
    "primary": "the strongest sink of its text; all others are secondary",
}
LAYERED = {
    "heads": "heads of the layer whose sink it is",
    "drain": "size of its value after W_O over the median of the text's; below one is drained",
    "peak": "size of its state after the layer over the median of the text's",
}


def sink_atlas(
    model: Any,
    text_or_tokens: Any,
    *,
    threshold: float = THRESHOLD,
    length: int | None = None,
    documents: Sequence[str] | None = None,
    tokenizer: Any = None,
) -> xr.Dataset:
    """Run a model over a text and return every sink of every sequence, the strongest first.

    A position is a sink of a head where the queries that see it, eight of them or more, give it
    a mean weight above `threshold`. Each sink comes with the layers of its birth and death and,
    layer by layer, with the other two signs of an extreme token: a drained value and a peak of
    the residual stream (Guo et al. 2024, arXiv 2410.13835).

    Parameters
    ----------
    model, text_or_tokens, length, documents, tokenizer
        As in `dva_lens.measure`.
    threshold : float
        Mean weight above which a position is a sink.

    Returns
    -------
    xarray.Dataset
        One row per sink along `sink`, and along `layer` what it is in every layer;
        `.to_dataframe()` makes a table of it.

    Examples
    --------
    >>> from dva_lens import load
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> atlas = sink_atlas(model, "To be, or not to be, that is the question.", threshold=0.05)
    >>> table = atlas[["position", "token", "strength"]].to_dataframe()
    >>> bool((table["strength"] > 0.05).all())
    True
    """
    found = prepare_tokens(model, text_or_tokens, InputOptions(length, None, documents, tokenizer))
    sinks: list[tuple[int, Sink]] = []
    sizes: list[np.ndarray] = []
    for number, tokens in enumerate(found.rows()):
        options = replace(RECORDED, compared=number == 0)
        seen = record_pass(found.adapter, tokens, None, options)
        mine = atlas(seen, threshold=threshold)
        sinks += [(number, sink) for sink in mine]
        sizes += [_sizes(seen, sink.position) for sink in mine]
    depth = found.adapter.depth
    return _table(sinks, np.array(sizes).reshape(-1, depth, 2), found.tokenizer).assign_attrs(
        model=found.adapter.name,
        threshold=threshold,
        sequences=len(found.sequences),
        documents=", ".join(dict.fromkeys(found.sequences.documents)),
    )


def _sizes(seen: Record, position: int) -> np.ndarray:
    return np.array([relative_sizes(layer, 0, position) for layer in seen.layers])


def _table(sinks: Sequence[tuple[int, Sink]], sizes: np.ndarray, tokenizer: Any) -> xr.Dataset:
    rows = [sink for _, sink in sinks]
    columns: dict[str, Any] = {
        name: np.array([getattr(sink, name) for sink in rows])
        for name in FIELDS
        if name != "token"
    }
    columns["token"] = np.array([_word(sink, tokenizer) for sink in rows], dtype=object)
    table: dict[str, Any] = {
        name: (SINK, columns[name], {"meaning": FIELDS[name]}) for name in FIELDS
    }
    heads = np.array([sink.heads for sink in rows]).reshape(sizes.shape[:2])
    layered = {"heads": heads, "drain": sizes[..., 0], "peak": sizes[..., 1]}
    for name, values in layered.items():
        table[name] = ((SINK, axes.LAYER), values, {"meaning": LAYERED[name]})
    places = {
        SINK: np.arange(len(rows)),
        axes.LAYER: np.arange(sizes.shape[1]),
        axes.SEQUENCE: (SINK, np.array([number for number, _ in sinks], dtype=np.int64)),
    }
    return xr.Dataset(table, coords=places)


def _word(sink: Sink, tokenizer: Any) -> str:
    if sink.position == VIRTUAL:
        return ""
    return str(sink.token) if tokenizer is None else token_texts(tokenizer, [sink.token])[0]
