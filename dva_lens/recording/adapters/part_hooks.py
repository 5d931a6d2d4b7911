"""Hooks on a model with an encoder and a decoder: where passes begin, and what layers hand on."""

from typing import Any

from torch import nn

from dva_lens.recording.adapters.across import PartState
from dva_lens.recording.adapters.parts import is_handed_states


def begin(state: PartState, text: str) -> Any:
    """Return the hook that begins a pass over one of the two texts."""

    def begun(module: nn.Module, args: tuple[Any, ...]) -> None:
        del module, args
        state.begin(text)

    return begun


def cross(state: PartState) -> Any:
    """Return the hook that keeps which modules are handed states of the encoder."""

    def sort(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        del args
        (state.crossing.add if is_handed_states(kwargs) else state.crossing.discard)(module)

    return sort


def stream(state: PartState, layer: int) -> Any:
    """Return the hook that keeps the residual stream after a layer of the tower."""

    def keep(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        del module, args
        hidden = output[0] if isinstance(output, tuple) else output
        layout = state.layouts.get(state.part.queries)
        if layout is None:
            shape = (hidden.shape[0], hidden.shape[1])
            layout, _ = state.passes[state.part.queries].of(None, shape, hidden.device)
        state.recorder.layout = layout
        state.recorder.stream(layer, layout.unpad(hidden))

    return keep
