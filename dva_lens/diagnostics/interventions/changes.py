"""What an intervention, or its control, does to the output of an attention while a model runs.

A change is called with the attention of its layer as the model asked for it and with its output,
before gates and W_O, and returns the output that the model goes on with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar, final

import torch

from dva_lens.diagnostics.interventions.change import Change, Edit, Output, PassRows
from dva_lens.diagnostics.interventions.head_rows import HeadRows, Weights, head_rows
from dva_lens.diagnostics.interventions.sink_removal import SinkRemoval
from dva_lens.diagnostics.interventions.value_changes import (
    FIRST,
    InAnotherOrder,
    NewValues,
    OfAnotherText,
    OtherFirstValues,
    OtherValues,
    ValuesFrom,
    frozen,
)
from dva_lens.diagnostics.interventions.value_paths import ValuePaths
from dva_lens.diagnostics.interventions.values import (
    DropHead,
    DropLayer,
    DropValueResidual,
    FreezeValues,
    Intervention,
    RemoveSink,
    SwapFirstValues,
    SwapValues,
    Temperature,
)
from dva_lens.recording.recorder import AttentionCall

Place = TypeVar("Place")


@final
@dataclass(frozen=True)
class ChangeSetting:
    """Where changes are made: the layers, their value paths, and what is moved between texts."""

    layers: tuple[int, ...]
    heads: Sequence[int]
    paths: ValuePaths
    moved: Mapping[int, OfAnotherText | InAnotherOrder] = field(
        default_factory=dict[int, OfAnotherText | InAnotherOrder]
    )


@final
@dataclass(frozen=True)
class Dropped:
    """Lets one head of a layer, or all of them, write nothing."""

    head: int | None = None

    def __call__(self, call: AttentionCall, out: Output, rows: PassRows) -> Output:
        """Return zeros for the head, or the layer."""
        del call, rows
        if self.head is None:
            return torch.zeros_like(out)
        changed = out.clone()
        changed[:, self.head] = 0.0
        return changed


@final
@dataclass(frozen=True)
class Tempered:
    """Divides the scores of one head by a temperature."""

    what: Temperature

    def __call__(self, call: AttentionCall, out: Output, rows: PassRows) -> Output:
        """Return what the head gathers with its weights spread or sharpened."""
        changed, head = out.clone(), self.what.head
        for some in head_rows(call, head, rows.lengths):
            spread = self._spread(some, virtual=call.weights.sink is not None)
            changed[some.sequence, head, some.queries] = some.mixed(spread).to(out.dtype)
        return changed

    def _spread(self, rows: HeadRows, *, virtual: bool) -> Weights:
        weights, by = rows.weights, self.what.temperature
        logs = weights.log().masked_fill(~rows.seen, -torch.inf) / by
        if not virtual:
            return torch.softmax(logs, -1).nan_to_num(0.0)
        rest = (1.0 - weights.sum(-1, keepdim=True)).clamp(min=0.0).log() / by
        return torch.softmax(torch.cat([logs, rest], -1), -1)[:, :-1].nan_to_num(0.0)


@final
@dataclass(frozen=True)
class RandomDirection:
    """Changes every output as much as another change does, in a direction drawn at random."""

    as_much_as: Edit
    random: torch.Generator

    def __call__(self, call: AttentionCall, out: Output, rows: PassRows) -> Output:
        """Return outputs that have moved as far as the other change moves them."""
        size = (self.as_much_as(call, out, rows) - out).norm(dim=-1, keepdim=True)
        noise = torch.randn(out.shape, generator=self.random).to(out)
        return out + noise * (size / noise.norm(dim=-1, keepdim=True))


def changes_of(what: Intervention, setting: ChangeSetting) -> tuple[Change, ...]:
    """Return what carries an intervention out, one change for each layer."""
    return tuple(Change(layer, _edit(what, layer, setting)) for layer in setting.layers)


def controls_of(
    what: Intervention, setting: ChangeSetting, random: torch.Generator
) -> tuple[Change, ...]:
    """Return one control, drawn at random.

    Raises
    ------
    ValueError
        The model has no other head, or no other layer, to draw.
    """
    heads = setting.heads
    if isinstance(what, RemoveSink):
        return (Change(what.layer, SinkRemoval(what, random)),)
    if isinstance(what, DropHead):
        others = [
            (layer, head)
            for layer, count in enumerate(heads)
            for head in range(count)
            if (layer, head) != (what.layer, what.head)
        ]
        layer, head = _drawn(others, "head", random)
        return (Change(layer, Dropped(head)),)
    if isinstance(what, DropLayer):
        layers = [layer for layer, count in enumerate(heads) if count and layer != what.layer]
        return (Change(_drawn(layers, "layer", random), Dropped()),)
    own = changes_of(what, setting)
    return tuple(Change(one.layer, RandomDirection(one.edit, random)) for one in own)


def _edit(what: Intervention, layer: int, setting: ChangeSetting) -> Edit:
    match what:
        case RemoveSink():
            return SinkRemoval(what)
        case DropHead():
            return Dropped(what.head)
        case DropLayer():
            return Dropped()
        case FreezeValues():
            return frozen
        case Temperature():
            return Tempered(what)
        case _:
            return OtherValues(_other_values(what, layer, setting))


def _other_values(what: Intervention, layer: int, setting: ChangeSetting) -> NewValues:
    match what:
        case SwapValues():
            return ValuesFrom(what.part, setting.moved[layer])
        case DropValueResidual():
            return OtherFirstValues(
                setting.paths, layer, lambda first, _: (1.0 - what.share) * first
            )
        case SwapFirstValues():
            return OtherFirstValues(setting.paths, layer, partial(setting.moved[layer], FIRST))
        case _:
            raise TypeError(f"Nothing carries out {type(what).__name__}.")


def _drawn(others: Sequence[Place], kind: str, random: torch.Generator) -> Place:
    if not others:
        raise ValueError(f"The model has no other {kind} that could be dropped in its place.")
    return others[int(torch.randint(len(others), (), generator=random))]
