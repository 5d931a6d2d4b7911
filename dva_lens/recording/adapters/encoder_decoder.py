"""Recording one part of a Hugging Face model with an encoder and a decoder."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from dva_lens.recording.adapters.across import PartState
from dva_lens.recording.adapters.adapter import Adapter, SourceBatch
from dva_lens.recording.adapters.anatomy import Anatomy
from dva_lens.recording.adapters.hooks import writing
from dva_lens.recording.adapters.huggingface import plug_in, pull_out
from dva_lens.recording.adapters.outputs import body_of, formed, padding_mask, run
from dva_lens.recording.adapters.part_hooks import begin, cross, stream
from dva_lens.recording.adapters.parts import ModelPart, anatomy_of, towers
from dva_lens.recording.adapters.settings import attending_eagerly, settings_of
from dva_lens.recording.adapters.towers import (
    decoder_inputs,
    embeddings_of,
    positions_of,
    vocabulary_of,
)
from dva_lens.recording.logits import Logits
from dva_lens.recording.norms import Gram
from dva_lens.recording.recorder import Recorder
from dva_lens.records import KeyText
from dva_lens.sites import Site

TEXT = "input_ids"


@final
@dataclass(frozen=True, eq=False)
class PartAdapter(Adapter):
    """One part of a model with two towers: its encoder, its decoder, or what lies between them.

    The encoder runs by itself, over source texts. The other parts run over target texts, once
    `reading` has said which sources they are of.
    """

    model: PreTrainedModel
    part: ModelPart
    source: SourceBatch | None = None
    grams: dict[nn.Module, Gram] = field(default_factory=dict, repr=False)

    @cached_property
    def towers(self) -> tuple[nn.Module, nn.Module]:
        """Return the encoder and the decoder.

        Raises
        ------
        TypeError
            The model does not have both.
        """
        if (found := towers(self.model)) is None:
            raise TypeError(f"{self.architecture} has no encoder and decoder apart.")
        return found

    @property
    def tower(self) -> nn.Module:
        """Return the tower whose tokens are the queries of the part."""
        return self.towers[self.part.queries == "target"]

    @cached_property
    def anatomy(self) -> Anatomy:
        """Return where the layers of the tower are."""
        return anatomy_of(self.model, self.tower)

    def reading(self, source: SourceBatch) -> "PartAdapter":
        """Return the same part of the model, reading these source texts."""
        return replace(self, source=source)

    def of_row(self, row: int, longest: int) -> tuple[Adapter, bool]:
        """Return the same part reading the beginning of one source, and whether that is all."""
        if self.source is None:
            return self, True
        kept = self.source.beginning(row, longest)
        return self.reading(kept), bool(kept.lengths[0] == self.source.lengths[row])

    def with_own_attention(self) -> AbstractContextManager[str]:
        """Have the model attend in its eager functions, where it lets that be chosen."""
        return attending_eagerly(self.model)

    @contextmanager
    def attach(self, sites: Iterable[Site[object]], backend: str = "auto") -> Iterator[Recorder]:
        """Compute the attentions of the model here while inside the context."""
        model, recorder = self.model, Recorder(sites, backend, self.device)
        inside = frozenset(self.towers[0].modules())
        state = PartState(recorder, self.part, self.anatomy, inside, self.grams)
        settings = settings_of(model)
        hooks = [
            tower.register_forward_pre_hook(begin(state, text), prepend=True)
            for tower, text in zip(self.towers, ("source", "target"), strict=True)
        ]
        try:
            hooks += [
                module.register_forward_pre_hook(cross(state), with_kwargs=True)
                for module in self.towers[1].modules()
            ]
            if recorder.watches_stream:
                hooks += [
                    layer.register_forward_hook(stream(state, index))
                    for index, layer in enumerate(self.anatomy.layers)
                ]
            if recorder.watches_attention:
                plug_in(model, state)
            if recorder.watches_writing:
                hooks += writing(state)
            yield recorder
        finally:
            for hook in hooks:
                hook.remove()
            pull_out(model, settings)

    def forward(self, tokens: Tensor, lengths: Int[Tensor, "sequence"]) -> Logits:
        """Run the encoder over source texts, or the model over target texts and their sources.

        Raises
        ------
        ValueError
            Targets come without sources.
        """
        if self.part.queries == "source":
            mask = padding_mask(tokens, lengths)
            return formed(run(self.tower, {"input_ids": tokens, "attention_mask": mask}))
        if self.source is None:
            raise ValueError(
                f"The part {self.part.name!r} of {self.name} reads a source; record it with "
                f"`dva_lens.measure(model, source, target=..., part={self.part.name!r})`."
            )
        runs: Any = body_of(self.model) or self.model
        source = torch.as_tensor(self.source.tokens).to(tokens.device)
        counts = torch.as_tensor(self.source.lengths).to(tokens.device)
        call = {
            "input_ids": source,
            "attention_mask": padding_mask(source, counts),
            "decoder_input_ids": tokens,
            "decoder_attention_mask": padding_mask(tokens, lengths),
            "use_cache": False,
        }
        return formed(run(runs, call))

    def check_input(self) -> None:
        """Refuse a model whose encoder reads no text.

        Raises
        ------
        TypeError
            It reads sounds or images.
        """
        name = self.model.main_input_name
        if name != TEXT:
            raise TypeError(
                f"{self.architecture} reads {name} and no text, which `measure` cannot pass to "
                f"it; run it yourself inside `recording.attach(model, part={self.part.name!r})`."
            )

    def continued(
        self, tokens: Tensor, lengths: Int[np.ndarray, "sequence"]
    ) -> tuple[Tensor, Int[np.ndarray, "sequence"]]:
        """Return what the decoder reads, with the last token that it should write behind it."""
        last = None if self.source is None else self.source.last
        if last is None:
            return tokens, lengths
        longer = torch.cat([tokens, torch.zeros_like(tokens[:, :1])], dim=1)
        places = torch.arange(len(longer)), torch.as_tensor(lengths)
        longer[places] = torch.as_tensor(last).to(longer)
        return longer, lengths + 1

    def _unattended(self, silent: Sequence[int]) -> str:
        return (
            f"{self.architecture} ran {self.anatomy.listed(silent)} without calling the recorder "
            f"for its part {self.part.name!r} ({len(silent)} of {self.depth} layers): they hold "
            f"no such attention, or attend in code of their own. Only attention that goes "
            f"through transformers' AttentionInterface can be measured."
        )

    @property
    def keys(self) -> KeyText | None:
        """Return the source texts in cross-attention."""
        return self.source.text if self.part.crosses and self.source is not None else None

    @property
    def depth(self) -> int:
        """Return the number of layers of the tower."""
        return len(self.anatomy.layers)

    @property
    def predicts_next_token(self) -> bool:
        """Whether the model predicts the next token: its decoder has a head."""
        return self.part.queries == "target" and self.model.get_output_embeddings() is not None

    @property
    def own_attention(self) -> str:
        """Return the name of the model's own attention."""
        return str(self.model.config._attn_implementation)

    @property
    def positions(self) -> int | None:
        """Return how many tokens the tower has room for, None where positions are relative."""
        return positions_of(self.tower)

    @property
    def vocabulary(self) -> int:
        """Return how many tokens the tower has embeddings for."""
        return vocabulary_of(self.tower)

    @property
    def reads_source(self) -> bool:
        """Whether the part has targets for queries."""
        return self.part.queries == "target"

    @property
    def source_positions(self) -> int | None:
        """Return how many tokens the encoder has room for, None where positions are relative."""
        return positions_of(self.towers[0])

    @property
    def source_vocabulary(self) -> int:
        """Return how many tokens the encoder has embeddings for."""
        return vocabulary_of(self.towers[0])

    def decoder_inputs(self, labels: Int[np.ndarray, "position"]) -> Int[np.ndarray, "position"]:
        """Return what the decoder reads where it should write these labels.

        Raises
        ------
        ValueError
            Nothing says which token the decoder starts with.
        """
        return decoder_inputs(self.model, self.tower, labels)

    @property
    def output_bytes(self) -> int:
        """Return the bytes of the output for one token in float32."""
        width = embeddings_of(self.tower).weight.shape[1]
        return 4 * (max(width, self.vocabulary) if self.predicts_next_token else width)

    @property
    def architecture(self) -> str:
        """Return the name of the model's class."""
        return type(self.model).__name__
