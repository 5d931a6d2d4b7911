"""The attention function that is plugged into transformers, and what it has to know.

It goes in through transformers' own `AttentionInterface`, together with masks that are kept as
functions (`masks`). What a layer asks for in its call is what is computed: scale, softcap and
learned sink. What it may see its mask says; only a layer without one says it in its call.
"""

from dataclasses import dataclass, field
from typing import Any, final
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static
from dva_lens.kernels.visibility import Visibility
from dva_lens.recording.adapters.anatomy import Anatomy
from dva_lens.recording.adapters.masks import ModelMask, PassState, model_mask, picked
from dva_lens.recording.adapters.own_attention import OwnCall
from dva_lens.recording.adapters.projection import Returned, projection_of
from dva_lens.recording.layout import Layout
from dva_lens.recording.norms import Gram, accurate, gram_of
from dva_lens.recording.recorder import AttentionCall, Compare, Recorder
from dva_lens.sites import MIX, WRITTEN

NAME = "dva_lens"
UNREADABLE = {
    "position_bias": "a bias per pair of positions",
    "cu_seq_lens_q": "packing by cumulative lengths; pass position_ids that start again instead",
    "block_table": "a paged cache",
}
NOT_WRITTEN = (
    "what {} returns does not go into an output projection as it is: a gate, a norm or something "
    "else comes between"
)
Heads = Float[Tensor, "row head column width"]
SharedHeads = Float[Tensor, "row kv_head key width"]


@final
@dataclass
class HookState:
    """What the plugged-in function needs to know of the model whose attention called it.

    `grams` are those of the output projections found so far, and outlast the pass.
    """

    recorder: Recorder
    anatomy: Anatomy
    grams: dict[nn.Module, Gram]
    pass_state: PassState
    returned: Returned | None = None
    attentions: dict[int, nn.Module] = field(default_factory=dict)


STATES: "WeakKeyDictionary[nn.Module, HookState]" = WeakKeyDictionary()


def _attention(
    module: nn.Module,
    query: Heads,
    key: SharedHeads,
    value: Float[Tensor, "row kv_head key value_width"],
    attention_mask: Tensor | ModelMask | None,
    **call: Any,
) -> tuple[Float[Tensor, "row column head value_width"], None]:
    """Compute one attention of a watched model; the signature is transformers'."""
    state = STATES.get(module)
    if state is None:
        raise RuntimeError(
            f"The attention {NAME!r} computes only for layers of a model inside "
            f"`recording.attach`; {type(module).__name__} is not one."
        )
    layer = state.anatomy.owner.get(module)
    if layer is None:  # of another tower, or between towers: it attends as it would
        mask = attention_mask.pairs() if isinstance(attention_mask, ModelMask) else attention_mask
        return sdpa_attention_forward(module, query, key, value, mask, **call)
    _refuse(module, query, key, attention_mask, call)
    if call.get("indices") is not None:
        attention_mask = picked(attention_mask, call["indices"], key.shape[2])
    _refuse_second(state, layer, module)
    query, key, value = _as_cast(query, key, value)
    shape = query.shape[0], query.shape[2]
    layout, visibility = state.pass_state.of(attention_mask, shape, query.device)
    state.recorder.layout = layout
    recorder = state.recorder
    value_given, value = value, layout.unpad(value)
    rule = _rule(module, query, call, visibility)
    asked = AttentionCall(layout.unpad(query), layout.unpad(key), Static(value), rule)
    sources = {"own": value} if MIX in recorder.sites else None
    recorder.skip(layer, WRITTEN, NOT_WRITTEN.format(type(module).__name__))
    own = OwnCall(module, query, key, value_given, attention_mask, call, rule, layout.real)
    out = recorder.attention(
        layer, asked, gram=None, sources=sources, compare=_compare(state, own, layout, layer)
    )
    returned = layout.repad(out).to(query.dtype).transpose(1, 2).contiguous()
    state.returned = Returned.of(returned)
    return returned, None


def _compare(state: HookState, own: OwnCall, layout: Layout, layer: int) -> Compare:
    """Return what compares an output, before anybody edits it, with the model's own attention."""

    def compare(out: Tensor, backend: str) -> None:
        place = f"{type(own.module).__name__} of {state.anatomy.names[layer]}"
        state.recorder.visible_rows = state.pass_state.rows_compared
        found = own.compare(layout.repad(out), backend=backend, place=place)
        state.recorder.keep_compared(found, against=own.against)

    return compare


def written_through(state: HookState) -> Any:
    """Return the hook that finds the output projection: it is called with what was returned."""

    def take(module: nn.Module, args: tuple[Any, ...]) -> None:
        held = state.returned
        if held is None or not args or not held.is_taken(args[0]):
            return
        state.returned = None
        if module not in state.grams:
            with torch.autocast(held.output.device.type, enabled=False):
                state.grams[module] = gram_of(projection_of(module, held.output))
        state.recorder.written_through(state.grams[module])

    return take


def _rule(
    module: nn.Module, query: Heads, call: dict[str, Any], visibility: Visibility | None
) -> Rule:
    scale, causal, sink = (call.get(name) for name in ("scaling", "is_causal", "s_aux"))
    if visibility is None:
        causal = bool(getattr(module, "is_causal", True) if causal is None else causal)
        visibility = Visibility(causal=causal, window=call.get("sliding_window"))
    return Rule(
        scale=query.shape[-1] ** -0.5 if scale is None else float(scale),
        causal=visibility.causal,
        window=visibility.window,
        mask=visibility.mask,
        softcap=call.get("softcap"),
        sink=None if sink is None else accurate(sink),
    )


def _refuse(
    module: nn.Module,
    query: Heads,
    key: SharedHeads,
    mask: Tensor | ModelMask | None,
    call: dict[str, Any],
) -> None:
    name = type(module).__name__
    for argument, meaning in UNREADABLE.items():
        if call.get(argument) is not None:
            raise NotImplementedError(f"{name} asks for {argument}, {meaning}; not supported.")
    if query.shape[2] != key.shape[2]:
        raise NotImplementedError(
            f"{name} has {query.shape[2]} queries for {key.shape[2]} keys (cross-attention, or "
            f"a cache); only attention of a text to itself, in one pass, can be recorded."
        )
    if isinstance(mask, Tensor) and mask.ndim not in (2, 4):
        raise NotImplementedError(
            f"{name} got a mask of shape {tuple(mask.shape)}; it must be (batch, position) "
            f"or (batch, head, query, key)."
        )


def _as_cast(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Return tensors in the dtype in which autocast would have them attend."""
    kind = tensors[0].device.type
    if not torch.is_autocast_enabled(kind):
        return tensors
    dtype = torch.get_autocast_dtype(kind)
    return tuple(each.to(dtype) for each in tensors)


def _refuse_second(state: HookState, layer: int, module: nn.Module) -> None:
    first = state.attentions.get(layer) if layer in state.recorder.attended() else None
    state.attentions[layer] = module
    if first is None:
        return
    name, place = type(module).__name__, state.anatomy.names[layer]
    if first is module:
        raise NotImplementedError(
            f"{name} of {place} attends more than once in a pass (as differential attention or a "
            f"layer that is run again does); a record holds one attention per layer."
        )
    raise NotImplementedError(
        f"{place} holds two attentions, {type(first).__name__} and {name}; a record holds one "
        f"attention per layer."
    )


AttentionInterface.register(NAME, _attention)
AttentionMaskInterface.register(NAME, model_mask)
