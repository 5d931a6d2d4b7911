"""Recording TransformerLens bridges through their own hooks, one pattern at a time.

A bridge computes attention itself and forms every pattern; here each is summarised where it
arises and let go. Measuring the model inside the bridge (`bridge.original_model` before it was
bridged) is faster and needs no pattern.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.kernels.rule import Rule
from dva_lens.recording.adapters.adapter import Adapter
from dva_lens.recording.from_arrays import Output, layer_of
from dva_lens.recording.from_cache import (
    PATTERN,
    STREAM_AFTER,
    VALUE,
    output_of,
)
from dva_lens.recording.logits import Formed, Logits
from dva_lens.recording.norms import gram_of
from dva_lens.recording.recorder import Recorder
from dva_lens.recording.tiles import pattern_tiles
from dva_lens.records import RowTile
from dva_lens.sites import Site


@final
@dataclass(frozen=True, eq=False)
class BridgeAdapter(Adapter):
    """A bridge of TransformerLens; it computes attention itself, whatever backend is chosen."""

    @contextmanager
    def attach(self, sites: Iterable[Site[object]], backend: str = "auto") -> Iterator[Recorder]:
        """Summarise every pattern of the bridge as it arises."""
        del backend  # the bridge computes
        recorder = Recorder(sites, "reference", torch.device(self.model.cfg.device))
        recorder.backend = "transformerlens"
        recorder.looks_ahead = not self.predicts_next_token
        hooks: list[tuple[str, Any]] = []
        for layer in range(self.depth):
            if recorder.watches_attention:
                hooks += _attention_hooks(self.model, recorder, layer)
            if recorder.watches_stream:
                hooks.append((STREAM_AFTER.format(layer), _stream_hook(recorder, layer)))
        with self.model.hooks(fwd_hooks=hooks):
            yield recorder

    def forward(self, tokens: Tensor, lengths: Int[Tensor, "sequence"]) -> Logits:
        """Run the bridge over right-padded tokens."""
        place = torch.arange(tokens.shape[1], device=tokens.device)
        mask = (place < lengths[:, None]).long()
        return Formed(self.model(tokens, attention_mask=mask, return_type="logits"))

    def _unattended(self, silent: Sequence[int]) -> str:
        names = ", ".join(PATTERN.format(layer) for layer in silent[:4])
        return (
            f"The bridge of {self.name} never fired {names}, so its attention cannot be recorded "
            f"through hooks."
        )

    @property
    def depth(self) -> int:
        """Return the number of layers."""
        return self.model.cfg.n_layers

    @property
    def predicts_next_token(self) -> bool:
        """Whether the model predicts the next token: no position looks ahead."""
        return self.model.cfg.attention_dir == "causal"

    @property
    def own_attention(self) -> str:
        """Return the name of the model's own attention."""
        return "transformerlens"

    @property
    def positions(self) -> int | None:
        """Return how many tokens the model has room for."""
        return self.model.cfg.n_ctx

    @property
    def vocabulary(self) -> int:
        """Return how many tokens the model has embeddings for."""
        return self.model.cfg.d_vocab

    @property
    def output_bytes(self) -> int:
        """Return the bytes of the logits of one token in float32."""
        return 4 * self.vocabulary

    @property
    def why_not_edited(self) -> str:
        """Return what to do instead: the recorder sees patterns, and computes no output."""
        return (
            "A bridge of TransformerLens computes attention itself; use its own hooks on "
            "`hook_z`, or pass the model of transformers that it was made from."
        )

    @property
    def name(self) -> str:
        """Return what the bridged model is called."""
        original = self.model.original_model
        return getattr(original, "name_or_path", "") or type(original).__name__

    @property
    def architecture(self) -> str:
        """Return the name of the bridged model's class."""
        return f"TransformerBridge of {type(self.model.original_model).__name__}"


def _attention_hooks(model: Any, recorder: Recorder, layer: int) -> list[tuple[str, Any]]:
    values: list[Tensor] = []
    window = getattr(_original(model, layer), "sliding_window", None)
    causal = model.cfg.attention_dir == "causal"

    def keep_value(value: Float[Tensor, "sequence key kv_head width"], hook: Any) -> None:
        del hook
        values[:] = [value.transpose(1, 2)]

    def keep_pattern(pattern: Float[Tensor, "sequence head query key"], hook: Any) -> None:
        del hook
        output = output_of(model, layer)
        record = layer_of(
            pattern,
            values[0],
            output,
            lengths=recorder.lengths,
            causal=causal,
            window=window,
        )
        visible = Rule(scale=1.0, causal=causal, window=window)
        given = (recorder, pattern, values[0], output, visible)
        recorder.keep(layer, record, partial(_tiles, *given))

    return [(VALUE.format(layer), keep_value), (PATTERN.format(layer), keep_pattern)]


def _tiles(
    recorder: Recorder,
    pattern: Float[Tensor, "sequence head query key"],
    value: Float[Tensor, "sequence kv_head key width"],
    output: Output | None,
    visible: Rule,
) -> Iterator[tuple[int, Iterator[RowTile]]]:
    gram = None if output is None else gram_of(output)
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
