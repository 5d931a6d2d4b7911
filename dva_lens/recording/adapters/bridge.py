"""Recording TransformerLens bridges through their own hooks, one pattern at a time.

A bridge computes attention itself and forms every pattern; here each is summarised where it
arises and let go. Measuring the model inside the bridge (`bridge.original_model` before it was
bridged) is faster and needs no pattern.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.kernels.weights import Weights
from dva_lens.recording.from_arrays import layer_of
from dva_lens.recording.from_cache import (
    PATTERN,
    STREAM_AFTER,
    VALUE,
    output_of,
)
from dva_lens.recording.logits import Formed, Logits
from dva_lens.recording.norms import Gram, gram_of
from dva_lens.recording.recorder import Recorder
from dva_lens.recording.tiles import pattern_tiles
from dva_lens.records import RowTile
from dva_lens.sites import TILES, Site


@contextmanager
def attach(model: Any, sites: Iterable[Site[object]], backend: str = "auto") -> Iterator[Recorder]:
    """Summarise every pattern of a bridge as it arises."""
    del backend  # the bridge computes
    recorder = Recorder(sites, "reference", torch.device(model.cfg.device))
    recorder.backend = "transformerlens"
    hooks: list[tuple[str, Any]] = []
    for layer in range(model.cfg.n_layers):
        if recorder.watches_attention:
            hooks += _attention_hooks(model, recorder, layer)
        if recorder.watches_stream:
            hooks.append((STREAM_AFTER.format(layer), _stream_hook(recorder, layer)))
    with model.hooks(fwd_hooks=hooks):
        yield recorder


def _attention_hooks(model: Any, recorder: Recorder, layer: int) -> list[tuple[str, Any]]:
    values: list[Tensor] = []
    window = getattr(_original(model, layer), "sliding_window", None)
    causal = model.cfg.attention_dir == "causal"

    def keep_value(value: Float[Tensor, "sequence key kv_head width"], hook: Any) -> None:
        del hook
        values[:] = [value.transpose(1, 2)]

    def keep_pattern(pattern: Float[Tensor, "sequence head query key"], hook: Any) -> None:
        del hook
        record = layer_of(
            pattern,
            values[0],
            output_of(model, layer),
            lengths=recorder.lengths,
            causal=causal,
            window=window,
        )
        output = output_of(model, layer)
        if output is None:
            recorder.skip(layer, TILES, "the output projection of the layer is not at hand")
            recorder.keep(layer, record)
            return
        visible = Weights(scale=1.0, causal=causal, window=window)
        gram = gram_of(output)
        recorder.keep(layer, record, _tiles(recorder, pattern, values[0], gram, visible))

    return [(VALUE.format(layer), keep_value), (PATTERN.format(layer), keep_pattern)]


def _tiles(
    recorder: Recorder,
    pattern: Float[Tensor, "sequence head query key"],
    value: Float[Tensor, "sequence kv_head key width"],
    gram: Gram,
    visible: Weights,
) -> Iterator[tuple[int, Iterator[RowTile]]]:
    for sequence, length in enumerate(int(each) for each in recorder.lengths):
        words = np.full(length, -1)
        if recorder.tokens is not None:
            words = recorder.tokens[sequence, :length]
        rows = pattern_tiles(
            pattern[sequence], value[sequence], gram=gram, tokens=words, visible=visible
        )
        yield length, rows


def _stream_hook(recorder: Recorder, layer: int) -> Any:
    def keep_stream(hidden: Float[Tensor, "sequence position channel"], hook: Any) -> None:
        del hook
        recorder.stream(layer, hidden)

    return keep_stream


def _original(model: Any, layer: int) -> Any:
    return getattr(model.blocks[layer].attn, "original_component", None)


def forward(model: Any, tokens: Tensor, lengths: Int[Tensor, "sequence"]) -> Logits:
    """Run a bridge over right-padded tokens and return its logits."""
    place = torch.arange(tokens.shape[1], device=tokens.device)
    mask = (place < lengths[:, None]).long()
    return Formed(model(tokens, attention_mask=mask, return_type="logits"))


def missed(model: Any, recorder: Recorder) -> None:
    """Refuse a pass in which the pattern of a layer did not arise."""
    silent = [
        PATTERN.format(layer)
        for layer in range(model.cfg.n_layers)
        if recorder.watches_attention and layer not in recorder.attended()
    ]
    if silent:
        raise TypeError(
            f"The bridge of {name(model)} never fired {', '.join(silent[:4])}, so its attention "
            f"cannot be recorded through hooks."
        )


def depth(model: Any) -> int:
    """Return the number of layers."""
    return model.cfg.n_layers


def predicts(model: Any) -> bool:
    """Say whether the model predicts the next token."""
    return model.cfg.attention_dir == "causal"


def implementation(model: Any) -> str:
    """Return the name of the model's own attention."""
    del model
    return "transformerlens"


def positions(model: Any) -> int | None:
    """Return how many tokens the model has room for."""
    return model.cfg.n_ctx


def row_bytes(model: Any) -> int:
    """Return the bytes that a pass forms at once for the output of one token."""
    return 4 * model.cfg.d_vocab


def vocabulary(model: Any) -> int:
    """Return how many tokens the model has embeddings for."""
    return model.cfg.d_vocab


def tokenizer(model: Any) -> Any:
    """Return the tokenizer of the model, or None."""
    return model.tokenizer


def name(model: Any) -> str:
    """Return what the model calls itself."""
    original = model.original_model
    return getattr(original, "name_or_path", "") or type(original).__name__


def about(model: Any) -> dict[str, Any]:
    """Return what else to store about the model."""
    return {"architecture": f"TransformerBridge of {type(model.original_model).__name__}"}
