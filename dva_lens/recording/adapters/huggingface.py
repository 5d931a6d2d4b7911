"""Recording Hugging Face models as they run: another attention function, and no pattern."""

import inspect
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import PreTrainedModel

from dva_lens.recording.adapters.anatomy import Anatomy, longest_input
from dva_lens.recording.adapters.interface import NAME, WATCHES, Passing, Watch
from dva_lens.recording.logits import Formed, Logits, OnRequest
from dva_lens.recording.recorder import Recorder
from dva_lens.sites import Site

SCALES = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier")
_PLAIN: "WeakKeyDictionary[PreTrainedModel, bool]" = WeakKeyDictionary()


@contextmanager
def attach(
    model: PreTrainedModel, sites: Iterable[Site[object]], backend: str = "auto"
) -> Iterator[Recorder]:
    """Watch a model: inside the context its attention is computed here, outside as before.

    Right or left padding is read off the attention mask and packing off `position_ids`; the
    record is of sequences that start at position zero, whichever way they were laid out.
    """
    recorder = Recorder(sites, backend, model.device)
    watch = Watch(recorder, Anatomy.of(model), {}, Passing())
    settings = _settings(model)
    hooks = [model.register_forward_pre_hook(_begin(watch), with_kwargs=True, prepend=True)]
    try:
        if recorder.watches_stream:
            hooks += [
                layer.register_forward_hook(_stream(watch, index))
                for index, layer in enumerate(watch.anatomy.layers)
            ]
        if recorder.watches_attention:
            _plug_in(model, watch)
        yield recorder
    finally:
        for hook in hooks:
            hook.remove()
        for module in model.modules():
            WATCHES.pop(module, None)
        for config, implementation in settings:
            config._attn_implementation_internal = implementation


def missed(model: PreTrainedModel, recorder: Recorder) -> None:
    """Refuse a pass in which a layer computed its attention without the recorder."""
    anatomy = Anatomy.of(model)
    if not recorder.watches_attention:
        return
    silent = [name for index, name in enumerate(anatomy.names) if index not in recorder.attended()]
    if silent:
        listed = ", ".join(silent[:4]) + (", ..." if len(silent) > 4 else "")
        raise TypeError(
            f"{type(model).__name__} computed the attention of {listed} without calling the "
            f"recorder ({len(silent)} of {len(anatomy.names)} layers); a model can be measured "
            f"only if all of its layers attend through transformers' AttentionInterface."
        )


def _settings(model: PreTrainedModel) -> list[tuple[Any, str | None]]:
    configs = [each.config for each in model.modules() if isinstance(each, PreTrainedModel)]
    configs += [
        getattr(config, name)
        for config in configs
        for name in config.sub_configs
        if getattr(config, name) is not None
    ]
    return [(config, config._attn_implementation) for config in configs]


def _plug_in(model: PreTrainedModel, watch: Watch) -> None:
    supported = getattr(model, "_supports_attention_backend", False)
    if supported:
        for module in model.modules():
            WATCHES[module] = watch
        model.set_attn_implementation(NAME)
    if not supported or model.config._attn_implementation != NAME:
        raise TypeError(
            f"{type(model).__name__} computes attention in code of its own and offers no "
            f"AttentionInterface, so it cannot be measured as it runs (ALiBi families such as "
            f"bloom, mpt and falcon do that); measure patterns of your own with "
            f"`dva_lens.recording.from_patterns`."
        )


def _begin(watch: Watch) -> Any:
    def begin(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        del module, args
        watch.passing.positions = kwargs.get("position_ids")
        watch.passing.layout = watch.recorder.layout = None
        watch.recorder.take(0)

    return begin


def _stream(watch: Watch, layer: int) -> Any:
    def stream(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        del module, args
        hidden = output[0] if isinstance(output, tuple) else output
        if watch.recorder.layout is None:
            shape = (hidden.shape[0], hidden.shape[1])
            watch.recorder.layout = watch.passing.of(None, shape, hidden.device)
        watch.recorder.stream(layer, watch.recorder.layout.apart(hidden))

    return stream


def forward(model: PreTrainedModel, tokens: Tensor, lengths: Int[Tensor, "sequence"]) -> Logits:
    """Run a model over right-padded tokens, or images."""
    if tokens.is_floating_point():
        return Formed(_output(model(**{model.main_input_name: tokens.to(model.dtype)})))
    place = torch.arange(tokens.shape[1], device=tokens.device)
    call: dict[str, Any] = {
        "input_ids": tokens,
        "attention_mask": (place < lengths[:, None]).long(),
    }
    if _accepts(model, "use_cache"):
        call["use_cache"] = False
    head = plain_head(model)
    if head is None:
        return Formed(_output(model(**call)))
    hidden, _ = _body(model, call, keep=torch.zeros(0, dtype=torch.long, device=model.device))
    if hidden is None:
        return Formed(_output(model(**call)))
    return OnRequest(hidden, head)


def plain_head(model: PreTrainedModel) -> nn.Linear | None:
    """Return the head of a model whose logits are its last hidden states times it, and no more.

    Then logits can be formed a part at a time. Tried once, on two tokens: models may scale or cap
    what their head puts out, and so may a hook that somebody puts on it.
    """
    head = model.get_output_embeddings()
    if type(head) is not nn.Linear or head._forward_hooks or head._forward_pre_hooks:
        return None
    if model not in _PLAIN:
        _PLAIN[model] = _tried(model, head)
    return head if _PLAIN[model] else None


def _tried(model: PreTrainedModel, head: nn.Linear) -> bool:
    settings = model.config.get_text_config()
    touched = any(getattr(settings, name, None) not in (None, 1, 1.0) for name in SCALES)
    if touched or head.weight.is_meta or not _accepts(model, "logits_to_keep"):
        return False
    tokens = torch.zeros(1, 2, dtype=torch.long, device=model.device)
    with torch.no_grad():
        last = torch.ones(1, dtype=torch.long, device=model.device)
        hidden, logits = _body(model, {"input_ids": tokens}, keep=last)
        if hidden is None or hidden.shape[-1] != head.in_features:
            return False
        return torch.equal(linear(hidden[:, -1:], head.weight, head.bias), logits)


def _body(
    model: PreTrainedModel, call: dict[str, Any], *, keep: Int[Tensor, "kept"]
) -> tuple[Tensor | None, Tensor]:
    """Return the last hidden states, and the logits of the positions to keep alone.

    There are no hidden states where the model does not call its body as a whole.
    """
    held: list[Tensor] = []

    def hold(module: nn.Module, args: Any, output: Any) -> None:
        del module, args
        held.append(output[0])

    hook = model.base_model.register_forward_hook(hold)
    try:
        output = model(**call, logits_to_keep=keep)
    finally:
        hook.remove()
    return held[0] if held else None, output.logits


def _output(output: Any) -> Float[Tensor, "sequence position channel"]:
    logits = output.get("logits")
    if logits is not None and logits.ndim == 3:
        return logits
    return output["last_hidden_state"] if "last_hidden_state" in output else output[0]


def _accepts(model: PreTrainedModel, argument: str) -> bool:
    return argument in inspect.signature(model.forward).parameters


def depth(model: PreTrainedModel) -> int:
    """Return the number of layers."""
    return model.config.get_text_config().num_hidden_layers


def predicts(model: PreTrainedModel) -> bool:
    """Say whether a model predicts the next token: it has a head, and no layer looks ahead."""
    layers = nn.ModuleList(Anatomy.of(model).layers)
    flags = [each.is_causal for each in layers.modules() if hasattr(each, "is_causal")]
    return model.get_output_embeddings() is not None and bool(flags) and all(flags)


def positions(model: PreTrainedModel) -> int | None:
    """Return how many tokens a model has room for, or None where nothing says."""
    return longest_input(model)


def row_bytes(model: PreTrainedModel) -> int:
    """Return the bytes that a pass forms at once for the output of one token."""
    width = model.config.get_text_config().hidden_size
    return 4 * (width if plain_head(model) is not None else max(width, vocabulary(model)))


def vocabulary(model: PreTrainedModel) -> int:
    """Return how many tokens the model has embeddings for."""
    embeddings: Any = model.get_input_embeddings()
    return embeddings.weight.shape[0]


def tokenizer(model: PreTrainedModel) -> Any:
    """Return the tokenizer that came with the model, or None."""
    return getattr(model, "tokenizer", None)


def name(model: PreTrainedModel) -> str:
    """Return what the model calls itself."""
    return model.name_or_path or type(model).__name__


def about(model: PreTrainedModel) -> dict[str, Any]:
    """Return what else to store about the model."""
    return {"architecture": type(model).__name__}


def implementation(model: PreTrainedModel) -> str:
    """Return the name of the model's own attention."""
    return str(model.config._attn_implementation)
