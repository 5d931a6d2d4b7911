"""Recording the models of this package: each attention owns `attend`, and it is swapped."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dva_lens.kernels.attention import Attend
from dva_lens.kernels.values import Values
from dva_lens.kernels.weights import Weights
from dva_lens.models.decoder import Decoder
from dva_lens.recording.layout import Layout
from dva_lens.recording.logits import Formed, Logits
from dva_lens.recording.norms import gram_of
from dva_lens.recording.recorder import Call, Recorder
from dva_lens.sites import Site


@contextmanager
def attach(
    model: Decoder, sites: Iterable[Site[object]], backend: str = "auto"
) -> Iterator[Recorder]:
    """Watch a model: inside the context its attentions are computed here, outside as before."""
    recorder = Recorder(sites, backend, next(model.parameters()).device)
    attentions = [block.attn for block in model.blocks]
    before = [attention.attend for attention in attentions]
    hooks = [model.register_forward_pre_hook(_begin(recorder))]
    try:
        for layer, block in enumerate(model.blocks):
            if recorder.watches_attention:
                block.attn.attend = _recorded(recorder, layer, block.attn)
            if recorder.watches_stream:
                hooks.append(block.hook_resid_post.register_forward_hook(_stream(recorder, layer)))
        yield recorder
    finally:
        for attention, own in zip(attentions, before, strict=True):
            attention.attend = own
        for hook in hooks:
            hook.remove()


def _recorded(recorder: Recorder, layer: int, attention: Any) -> Attend:
    gram = gram_of(attention.W_O)

    def attend(
        query: Float[Tensor, "sequence head query width"],
        key: Float[Tensor, "sequence kv_head key width"],
        values: Values,
        weights: Weights,
    ) -> Float[Tensor, "sequence head query value_width"]:
        recorder.layout = _layout(weights, query)
        call = Call(query, key, values, weights)
        return recorder.attention(layer, call, gram=gram, sources=attention.value_parts)

    return attend


def _layout(weights: Weights, query: Tensor) -> Layout:
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
        recorder.take(0)

    return begin


def _stream(recorder: Recorder, layer: int) -> Any:
    def stream(module: nn.Module, args: Any, hidden: Tensor) -> None:
        del module, args
        recorder.stream(layer, hidden)

    return stream


def forward(model: Decoder, tokens: Tensor, lengths: Int[Tensor, "sequence"]) -> Logits:
    """Run a model over right-padded tokens."""
    return Formed(model(tokens, lengths=lengths))


def missed(model: Decoder, recorder: Recorder) -> None:
    """Refuse a pass in which a layer attended without the recorder."""
    silent = [layer for layer in range(depth(model)) if layer not in recorder.attended()]
    if recorder.watches_attention and silent:
        raise TypeError(
            f"Layers {silent} of {name(model)} did not attend through their `attend`; an "
            f"attention can be recorded only if it calls it."
        )


def depth(model: Decoder) -> int:
    """Return the number of layers."""
    return len(model.blocks)


def predicts(model: Decoder) -> bool:
    """Say whether the model predicts the next token; all of this package's do."""
    del model
    return True


def implementation(model: Decoder) -> str:
    """Return the name of the model's own attention."""
    attend = model.blocks[0].attn.attend
    return f"{attend.__module__}.{attend.__qualname__}"


def positions(model: Decoder) -> int:
    """Return how many tokens the model has room for."""
    return model.config.context


def row_bytes(model: Decoder) -> int:
    """Return the bytes that a pass forms at once for the output of one token."""
    return 4 * model.config.vocabulary


def vocabulary(model: Decoder) -> int:
    """Return how many tokens the model has embeddings for."""
    return model.config.vocabulary


def tokenizer(model: Decoder) -> Any:
    """Return the tokenizer that came with the model, or None."""
    return getattr(model, "tokenizer", None)


def name(model: Decoder) -> str:
    """Return what the model calls itself."""
    return getattr(model, "name_or_path", "") or type(model).__name__


def about(model: Decoder) -> dict[str, Any]:
    """Return what else to store about the model."""
    del model
    return {"architecture": "Decoder"}
