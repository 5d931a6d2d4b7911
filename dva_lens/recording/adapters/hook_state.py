"""What is known of a running pass over one text, and what its attentions are recorded from."""

from dataclasses import dataclass, field
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from dva_lens.kernels.values import Static
from dva_lens.recording.adapters.anatomy import Anatomy
from dva_lens.recording.adapters.cached import CachedPass, attend_step
from dva_lens.recording.adapters.call import (
    bias_of,
    is_of_each_pair,
    refuse_odd_masks,
    refuse_other_keys,
    refuse_unreadable,
    rule_of,
)
from dva_lens.recording.adapters.interface import Heads, SharedHeads, SharedValues
from dva_lens.recording.adapters.masks import ModelMask, PassState, added_by, picked
from dva_lens.recording.adapters.own_attention import OwnCall, compare_with
from dva_lens.recording.adapters.projection import NOT_WRITTEN, Returned
from dva_lens.recording.norms import Gram
from dva_lens.recording.recorder import AttentionCall, Recorder
from dva_lens.sites import MIX, WRITTEN


@final
@dataclass
class HookState:
    """What the plugged-in function needs to know of the model whose attention called it.

    `grams` are those of the output projections found so far, and outlast the pass. `rows` are the
    texts or images of the running call, None where nothing says how many they are.
    """

    recorder: Recorder
    anatomy: Anatomy
    grams: dict[nn.Module, Gram]
    pass_state: PassState
    returned: Returned | None = None
    attentions: dict[int, nn.Module] = field(default_factory=dict)
    projections: dict[int, nn.Module] = field(default_factory=dict)
    cached: CachedPass | None = None
    layer: int = 0
    rows: int | None = None
    running: set[int] = field(default_factory=set)

    def attention(
        self,
        module: nn.Module,
        heads: tuple[Heads, SharedHeads, SharedValues],
        mask: Tensor | ModelMask | None,
        call: dict[str, Any],
    ) -> Float[Tensor, "row column head value_width"]:
        """Compute one attention of a text to itself."""
        layer = self.anatomy.owner.get(module)
        if layer is None:  # of another tower, or between towers: it attends as it would
            pairs = mask.pairs() if isinstance(mask, ModelMask) else mask
            return sdpa_attention_forward(module, *heads, pairs, **call)[0]
        refuse_unreadable(module, call)
        _refuse_windows(self.rows, module, heads[0])
        _refuse_second(self, layer, module)
        self.layer = layer
        if self.cached is not None and not is_of_each_pair(mask, call):
            held = mask if isinstance(mask, ModelMask) else None
            step = self.cached.hold(layer, module, heads, held, call)
            if step.start or heads[0].shape[2] != heads[1].shape[2]:
                self.cached.continued = True
                rule = rule_of(module, heads[0], call, None, bias=0.0)
                return self._returned(attend_step(heads, rule, step), heads[0])
        refuse_other_keys(module, *heads[:2])
        refuse_odd_masks(module, mask)
        return self._recorded(module, heads, mask, call)

    def _recorded(
        self,
        module: nn.Module,
        heads: tuple[Heads, SharedHeads, SharedValues],
        mask: Tensor | ModelMask | None,
        call: dict[str, Any],
    ) -> Float[Tensor, "row column head value_width"]:
        query, key, value = heads
        if call.get("indices") is not None:
            mask = picked(mask, call["indices"], key.shape[2])
        shape = query.shape[0], query.shape[2]
        layout, visibility = self.pass_state.of(mask, shape, query.device)
        recorder, recorder.layout = self.recorder, layout
        bias = bias_of(call, added_by(mask), layout, layout)
        rule = rule_of(module, query, call, visibility, bias=bias)
        own = OwnCall(module, query, key, value, mask, call, rule, layout.real)
        value = layout.unpad(value)
        asked = AttentionCall(layout.unpad(query), layout.unpad(key), Static(value), rule)
        sources = {"own": value} if MIX in recorder.sites else None
        recorder.skip(self.layer, WRITTEN, NOT_WRITTEN.format(type(module).__name__))
        name, rows = self.anatomy.names[self.layer], self.pass_state.rows_compared
        compare = compare_with(own, layout, recorder, name, rows)
        out = recorder.attention(self.layer, asked, gram=None, sources=sources, compare=compare)
        return self._returned(layout.repad(out), query)

    def _returned(self, out: Tensor, query: Heads) -> Tensor:
        """Return an output as the module wants it, and remember it."""
        returned = out.to(query.dtype).transpose(1, 2).contiguous()
        self.returned = Returned.of(returned)
        return returned

    def wrote_through(self, module: nn.Module) -> None:
        """Remember the output projection of the layer that attended last."""
        self.projections[self.layer] = module

    def finish(self) -> None:
        """Record all calls that continued one cache as the one pass that they amount to."""
        held = self.cached
        if held is None or not held.continued:
            return
        self.pass_state.begin(None)
        for self.layer, each in held.layers.items():
            self.recorder.again(self.layer)
            heads = each.query, each.key, each.value
            self._recorded(each.module, heads, held.mask_of(each), each.call)
            projection = self.projections.get(self.layer)
            self.recorder.written_through(None if projection is None else self.grams[projection])
        layout = self.recorder.layout
        for layer, parts in held.hidden.items():
            hidden = torch.cat(parts, dim=1)
            shape = hidden.shape[0], hidden.shape[1]
            layout = layout or self.pass_state.of(held.padding, shape, hidden.device)[0]
            self.recorder.layout = layout
            self.recorder.stream(layer, layout.unpad(hidden))


def _refuse_windows(rows: int | None, module: nn.Module, query: Heads) -> None:
    if rows is not None and query.shape[0] != rows:
        raise NotImplementedError(
            f"{type(module).__name__} attends over {query.shape[0]} rows where {rows} texts or "
            f"images came in: it cuts them into windows, and a record holds them whole."
        )


def _refuse_second(state: HookState, layer: int, module: nn.Module) -> None:
    first = state.attentions.get(layer) if layer in state.running else None
    state.attentions[layer] = module
    state.running.add(layer)
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
