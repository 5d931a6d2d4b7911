"""Hooks on a Hugging Face model: where a pass begins, what layers hand on, what goes into W_O."""

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from dva_lens.recording.adapters.cached import CachedPass
from dva_lens.recording.adapters.hook_state import HookState
from dva_lens.recording.adapters.interface import Watcher
from dva_lens.recording.adapters.projection import is_projection, projection_of
from dva_lens.recording.norms import gram_of
from dva_lens.sites import GEOMETRY, STREAM

INPUTS = ("input_ids", "inputs_embeds", "pixel_values")
NO_STREAM = "the layer hands on an array of shape {}, and not one state for every position"


def begin(state: HookState) -> Any:
    """Return the hook that begins a pass: it forgets the one before, or continues its cache."""

    def begun(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = inspect.signature(module.forward).bind_partial(*args, **kwargs).arguments
        cache, mask = given.get("past_key_values"), given.get("attention_mask")
        past = 0 if cache is None else int(cache.get_seq_length())
        state.returned = None
        state.running.clear()
        came = (given.get(name) for name in INPUTS)
        state.rows = next((len(each) for each in came if isinstance(each, Tensor)), None)
        if not past or state.cached is None or state.cached.columns != past:
            wants = getattr(module, "config", None)
            holds = given.get("use_cache", getattr(wants, "use_cache", False))
            begins = past == 0 and (holds or cache is not None)
            state.cached = CachedPass() if begins else None
            state.recorder.layout = None
            state.recorder.reset()
        padding = mask if isinstance(mask, Tensor) and mask.ndim == 2 else None
        state.pass_state.begin(given.get("position_ids"), padding)
        if state.cached is not None:
            state.cached.padding = padding

    return begun


def stream(state: HookState, layer: int) -> Any:
    """Return the hook that keeps the residual stream after a layer."""

    def keep(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        del module, args
        hidden = output[0] if isinstance(output, tuple) else output
        if hidden.ndim != 3:
            for site in (STREAM, GEOMETRY):
                state.recorder.skip(layer, site, NO_STREAM.format(tuple(hidden.shape)))
            return
        if state.cached is not None:
            state.cached.hidden.setdefault(layer, []).append(hidden.detach())
            if state.cached.continued:
                return
        if state.recorder.layout is None:
            shape = (hidden.shape[0], hidden.shape[1])
            state.recorder.layout = state.pass_state.before_attention(shape, hidden.device)
        state.recorder.stream(layer, state.recorder.layout.unpad(hidden))

    return keep


def writing(state: Watcher) -> list[Any]:
    """Place hooks on all that could be an output projection, to find those that are."""
    return [
        module.register_forward_pre_hook(_written_through(state))
        for module in state.anatomy.owner
        if is_projection(module)
    ]


def _written_through(state: Watcher) -> Any:
    """Return the hook that finds the output projection: it is called with what was returned."""

    def take(module: nn.Module, args: tuple[Any, ...]) -> None:
        held = state.returned
        if held is None or not args or not held.is_taken(args[0]):
            return
        state.returned = None
        if module not in state.grams:
            with torch.autocast(held.output.device.type, enabled=False):
                state.grams[module] = gram_of(projection_of(module, held.output))
        state.wrote_through(module)
        state.recorder.written_through(state.grams[module])

    return take
