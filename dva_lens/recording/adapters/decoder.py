"""Recording the models of this package: each attention owns `attend`, and it is swapped."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dva_lens.kernels.attention import Attend
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Values
from dva_lens.models.decoder import Decoder
from dva_lens.recording.adapters.adapter import Adapter
from dva_lens.recording.layout import Layout
from dva_lens.recording.logits import Formed, Logits
from dva_lens.recording.norms import Gram, gram_of
from dva_lens.recording.recorder import AttentionCall, Recorder
from dva_lens.sites import Site


@final
@dataclass(frozen=True, eq=False)
class DecoderAdapter(Adapter):
    """A model of this package."""

    model: Decoder

    @cached_property
    def grams(self) -> tuple[Gram, ...]:
        """Return W_O W_O^T per head of every layer."""
        attentions: list[Any] = [block.attn for block in self.model.blocks]
        return tuple(gram_of(attention.W_O) for attention in attentions)

    @contextmanager
    def attach(self, sites: Iterable[Site[object]], backend: str = "auto") -> Iterator[Recorder]:
        """Compute the attentions of the model here while inside the context."""
        recorder = Recorder(sites, backend, self.device)
        attentions = [block.attn for block in self.model.blocks]
        before = [attention.attend for attention in attentions]
        hooks = [self.model.register_forward_pre_hook(_begin(recorder))]
        try:
            for layer, block in enumerate(self.model.blocks):
                if recorder.watches_attention:
                    gram = self.grams[layer] if recorder.watches_writing else None
                    block.attn.attend = _recorded(recorder, layer, block.attn, gram)
                if recorder.watches_stream:
                    hook = _stream(recorder, layer)
                    hooks.append(block.hook_resid_post.register_forward_hook(hook))
            yield recorder
        finally:
            for attention, own in zip(attentions, before, strict=True):
                attention.attend = own
            for hook in hooks:
                hook.remove()

    def forward(self, tokens: Tensor, lengths: Int[Tensor, "sequence"]) -> Logits:
        """Run the model over right-padded tokens."""
        return Formed(self.model(tokens, lengths=lengths))

    def _unattended(self, silent: Sequence[int]) -> str:
        return (
            f"Layers {list(silent)} of {self.name} did not attend through their `attend`; an "
            f"attention can be recorded only if it calls it."
        )

    @property
    def depth(self) -> int:
        """Return the number of layers."""
        return len(self.model.blocks)

    @property
    def predicts_next_token(self) -> bool:
        """Whether the model predicts the next token; all of this package's do."""
        return True

    @property
    def own_attention(self) -> str:
        """Return the name of the model's own attention."""
        attend = self.model.blocks[0].attn.attend
        return f"{attend.__module__}.{attend.__qualname__}"

    @property
    def positions(self) -> int:
        """Return how many tokens the model has room for."""
        return self.model.config.context

    @property
    def vocabulary(self) -> int:
        """Return how many tokens the model has embeddings for."""
        return self.model.config.vocabulary

    @property
    def output_bytes(self) -> int:
        """Return the bytes of the logits of one token in float32."""
        return 4 * self.vocabulary

    @property
    def architecture(self) -> str:
        """Return what the model is."""
        return "Decoder"


def _recorded(recorder: Recorder, layer: int, attention: Any, gram: Gram | None) -> Attend:
    def attend(
        query: Float[Tensor, "sequence head query width"],
        key: Float[Tensor, "sequence kv_head key width"],
        values: Values,
        weights: Rule,
    ) -> Float[Tensor, "sequence head query value_width"]:
        recorder.layout = _layout(weights, query)
        call = AttentionCall(query, key, values, weights)
        return recorder.attention(layer, call, gram=gram, sources=attention.value_parts)

    return attend


def _layout(weights: Rule, query: Tensor) -> Layout:
    rows, columns = query.shape[0], query.shape[2]
    if weights.segments is None:
        return Layout.plain(torch.full((rows,), columns, device=query.device), columns)
    if int(weights.segments.max()) > 1:
        raise NotImplementedError(
            "Several texts in one sequence cannot be recorded; pass each text as a sequence of "
            "its own, padded on the right."
        )
    return Layout.plain(weights.segments.sum(dim=1), columns)


def _begin(recorder: Recorder) -> Any:
    def begin(module: nn.Module, args: Any) -> None:
        del module, args
        recorder.reset()

    return begin


def _stream(recorder: Recorder, layer: int) -> Any:
    def stream(module: nn.Module, args: Any, hidden: Tensor) -> None:
        del module, args
        recorder.stream(layer, hidden)

    return stream
