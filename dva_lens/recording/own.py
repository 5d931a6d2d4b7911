"""Recording the models of this package: each attention owns `attend`, and it is swapped."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from dva_lens.kernels.attention import Attend
from dva_lens.kernels.values import Values
from dva_lens.kernels.weights import Weights
from dva_lens.mechanisms.value_source.parts import Source, Summands
from dva_lens.models.decoder import Decoder
from dva_lens.recording.logits import Formed, Logits
from dva_lens.recording.recorder import Call, Recorder
from dva_lens.recording.sizes import gram_of
from dva_lens.sites import Site


@contextmanager
def attach(model: Decoder, sites: Iterable[Site], backend: str = "auto") -> Iterator[Recorder]:
    """Watch a model: inside the context its attentions are computed here, outside as before."""
    recorder = Recorder(sites, backend, next(model.parameters()).device)
    attentions = [block.attn for block in model.blocks]
    before = [attention.attend for attention in attentions]
    hooks = []
    try:
        for layer, (block, own) in enumerate(zip(model.blocks, before, strict=True)):
            if recorder.watches_attention:
                parts: Summands = {}
                hooks += _watch_sources(block.attn, parts)
                block.attn.attend = _recorded(recorder, layer, block.attn, own=own, parts=parts)
            if recorder.watches_stream:
                hooks.append(block.hook_resid_post.register_forward_hook(_stream(recorder, layer)))
        yield recorder
    finally:
        for attention, own in zip(attentions, before, strict=True):
            attention.attend = own
        for hook in hooks:
            hook.remove()


def _watch_sources(attention: nn.Module, parts: Summands) -> list[RemovableHandle]:
    """Keep what a value is the sum of, whenever its source has made it."""

    def keep(module: nn.Module, args: Any, output: Any) -> None:
        del module, args
        parts.clear()
        parts.update({name: part.transpose(1, 2) for name, part in output[1].items()})

    sources = [module for module in attention.modules() if isinstance(module, Source)]
    return [source.register_forward_hook(keep) for source in sources]


def _recorded(
    recorder: Recorder, layer: int, attention: Any, *, own: Attend, parts: Summands
) -> Attend:
    gram = gram_of(attention.W_O)

    def attend(
        query: Float[Tensor, "sequence head query width"],
        key: Float[Tensor, "sequence kv_head key width"],
        values: Values,
        weights: Weights,
    ) -> Float[Tensor, "sequence head query value_width"]:
        out = recorder.attention(
            layer,
            Call(query, key, values, weights),
            gram=gram,
            sources=dict(parts) or {"donor": key},  # no source ran: another layer's values
        )
        padded = recorder.layout is not None and recorder.layout.segments is not None
        if recorder.backend == "exact" and padded:
            return own(query, key, values, weights)
        return out

    return attend


def _stream(recorder: Recorder, layer: int) -> Any:
    def stream(module: nn.Module, args: Any, hidden: Tensor) -> None:
        del module, args
        recorder.stream(layer, hidden)

    return stream


def forward(model: Decoder, tokens: Tensor, lengths: Int[Tensor, "sequence"]) -> Logits:
    """Run a model; what follows a causal sequence cannot change it, so no mask is needed."""
    del lengths
    return Formed(model(tokens))


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
    return type(model).__name__


def about(model: Decoder) -> dict[str, Any]:
    """Return what else to store about the model."""
    del model
    return {"architecture": "Decoder"}
