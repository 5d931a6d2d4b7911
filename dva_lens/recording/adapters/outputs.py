"""What a Hugging Face model puts out: logits at once, or on request where its head is plain."""

import inspect
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import PreTrainedModel

from dva_lens.models.placing import FULL
from dva_lens.recording.adapters.interface import STATES
from dva_lens.recording.logits import Formed, Logits, OnRequest

SCALES = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier")
_PLAIN: "WeakKeyDictionary[PreTrainedModel, bool]" = WeakKeyDictionary()


def forward(
    model: PreTrainedModel,
    runs: PreTrainedModel,
    tokens: Tensor,
    lengths: Int[Tensor, "sequence"],
    beside: Mapping[str, Tensor],
) -> Logits:
    """Run a model over right-padded tokens, or images: without its head where that pools.

    A head that classifies, answers or rates comes after the last attention, and may need to know
    things of its own (which token is padding, say); the states that it is given say more. `runs`
    is the part that does, and `beside` what it takes beside tokens.
    """
    if tokens.is_floating_point():
        return formed(run(runs, {model.main_input_name: tokens.to(model.dtype)}))
    mask = padding_mask(tokens, lengths)
    call = without_cache(runs, {"input_ids": tokens, "attention_mask": mask})
    for name, each in beside.items():
        moved = each.to(tokens.device)
        call[name] = moved.to(model.dtype) if moved.is_floating_point() else moved
    head = plain_head(model)
    if head is None or runs is not model:
        return formed(run(runs, call))
    hidden, _ = _body(model, call, keep=torch.zeros(0, dtype=torch.long, device=model.device))
    if hidden is None:
        return formed(run(model, call))
    return OnRequest(hidden, head)


def run(model: nn.Module, call: dict[str, Any]) -> Any:
    """Run a model, and say whose error it is where it does not run by itself.

    Raises
    ------
    ValueError
        The model does not take these inputs, whether anybody records its attention or not.
    """
    if model in STATES:
        return model(**call)
    try:
        return model(**call)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if FULL in str(error):
            raise
        said = str(error).rstrip(".") or type(error).__name__
        raise ValueError(
            f"{type(model).__name__} does not run over {_named(call)} by itself, with nothing "
            f"recorded: {said}. What it needs beside texts, such as images or sounds, is passed "
            f"as its processor returns it."
        ) from error


def _named(call: dict[str, Any]) -> str:
    tensors = {name: each for name, each in call.items() if isinstance(each, Tensor)}
    return " and ".join(f"{name} of shape {tuple(each.shape)}" for name, each in tensors.items())


def padding_mask(
    tokens: Tensor, lengths: Int[Tensor, "sequence"]
) -> Int[Tensor, "sequence position"]:
    """Return 1 where a text padded on the right stands, and 0 in padding."""
    place = torch.arange(tokens.shape[1], device=tokens.device)
    return (place < lengths[:, None]).long()


def stands_alone(model: PreTrainedModel, around: PreTrainedModel) -> bool:
    """Say whether a tower is all that runs of a model: what is around it pools or needs more.

    So it is in models of texts and images side by side, and in classifiers without a body.
    """
    if model.get_output_embeddings() is not None or around is model:
        return False
    return model.base_model is model and accepts(around, model.main_input_name)


def body_of(model: PreTrainedModel) -> PreTrainedModel | None:
    """Return the body of a model whose head puts out something else than tokens, else None."""
    body = model.base_model
    if body is model or model.get_output_embeddings() is not None:
        return None
    return body if isinstance(body, PreTrainedModel) else None


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
    if touched or head.weight.is_meta or not accepts(model, "logits_to_keep"):
        return False
    tokens = torch.zeros(1, 2, dtype=torch.long, device=model.device)
    with torch.no_grad():
        last = torch.ones(1, dtype=torch.long, device=model.device)
        try:
            hidden, logits = _body(model, without_cache(model, {"input_ids": tokens}), keep=last)
        except Exception:  # it needs more than two tokens: its pass says what
            return False
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


def formed(output: Any) -> Formed:
    """Return what a model put out at every position.

    Raises
    ------
    TypeError
        It is of another shape, as that of images in stages is.
    """
    held = _output(output)
    if held.ndim != 3:
        raise TypeError(
            f"The model puts out an array of shape {tuple(held.shape)}, and not numbers for "
            f"every position, by which a measurement is judged; it cannot be measured."
        )
    return Formed(held)


def _output(output: Any) -> Tensor:
    logits = output.get("logits")
    if logits is not None and logits.ndim == 3:
        return logits
    if "last_hidden_state" in output:
        return output["last_hidden_state"]
    towers = output.get("text_model_output")  # of texts and images, with a tower for each
    return output[0] if towers is None else towers.last_hidden_state


def without_cache(model: PreTrainedModel, call: dict[str, Any]) -> dict[str, Any]:
    """Return a call that asks for no cache, where there can be one."""
    return call | ({"use_cache": False} if accepts(model, "use_cache") else {})


def accepts(model: PreTrainedModel, argument: str) -> bool:
    """Say whether a model is called with an argument of this name."""
    return argument in inspect.signature(model.forward).parameters
