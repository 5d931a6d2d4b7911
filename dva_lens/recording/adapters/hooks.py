"""Hooks on a Hugging Face model: where a pass begins, and the stream after each of its layers."""

import inspect
from typing import Any

from torch import Tensor, nn

from dva_lens.recording.adapters.interface import HookState
from dva_lens.sites import GEOMETRY, STREAM

NO_STREAM = "the layer hands on an array of shape {}, and not one state for every position"


def begin(state: HookState) -> Any:
    """Return the hook that begins a pass: it forgets the one before."""

    def begun(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = inspect.signature(module.forward).bind_partial(*args, **kwargs).arguments
        mask = given.get("attention_mask")
        padding = mask if isinstance(mask, Tensor) and mask.ndim == 2 else None
        state.pass_state.begin(given.get("position_ids"), padding)
        state.recorder.layout = None
        state.returned = None
        state.recorder.reset()

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
        if state.recorder.layout is None:
            shape = (hidden.shape[0], hidden.shape[1])
            state.recorder.layout = state.pass_state.before_attention(shape, hidden.device)
        state.recorder.stream(layer, state.recorder.layout.unpad(hidden))

    return keep
