"""What an intervention, or its control, does to the output of an attention while a model runs.

A change is called with the attention of its layer as the model asked for it and with its output,
before gates and W_O, and returns the output that the model goes on with.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.diagnostics.interventions.head_rows import HeadRows, Weights, head_rows
from dva_lens.diagnostics.interventions.values import (
    DropHead,
    DropLayer,
    FreezeValues,
    Intervention,
    RemoveSink,
    Temperature,
)
from dva_lens.kernels.backends import BACKENDS
from dva_lens.kernels.blocked.moments import mean_values
from dva_lens.kernels.values import Static, per_query_head
from dva_lens.recording.recorder import AttentionCall

Output = Float[Tensor, "sequence head query width"]
Lengths = Int[Tensor, "sequence"]
Place = TypeVar("Place")


Edit = Callable[[AttentionCall, Output, Lengths], Output]
"""Gets the attention of a layer, its output and the lengths of the sequences."""


@final
class Change(NamedTuple):
    """What becomes of the output of one layer."""

    layer: int
    edit: Edit


@final
@dataclass
class RemovedMass:
    """How much weight was taken from keys, and how much of it there was to take."""

    removed: float = 0.0
    asked: float = 0.0


@final
@dataclass(frozen=True)
class SinkRemoval:
    """Takes weight from one key, or with a generator the same from others; counts what it took.

    The output becomes o_i - sum_j d_ij v_ij, where d_ij is the weight taken from key j.
    """

    what: RemoveSink
    random: torch.Generator | None = None
    mass: RemovedMass = field(default_factory=RemovedMass)

    def __call__(self, call: AttentionCall, out: Output, lengths: Lengths) -> Output:
        """Return the output without what was removed."""
        changed, head = out.clone(), self.what.head
        divided = self.what.by == "mask" and call.weights.normaliser == "softmax"
        for rows in head_rows(call, head, lengths):
            taken = self._taken(rows)
            total = taken.sum(-1)
            self.mass.removed += float(total.sum(dtype=torch.float64))
            lost = rows.mixed(taken)
            left = out[rows.sequence, head, rows.queries].to(lost.dtype) - lost
            if divided:
                left = left / (1.0 - total)[:, None]
            touched = total > 0
            place = rows.queries[touched]
            changed[rows.sequence, head, place] = left[touched].to(out.dtype)
        return changed

    def _taken(self, rows: HeadRows) -> Weights:
        """Return what is taken from every key; nothing where the others hold less than it."""
        weights, key = rows.weights, self.what.key
        taken = torch.zeros_like(weights)
        if key >= weights.shape[1]:
            return taken
        wanted = self.what.share * weights[:, key]
        self.mass.asked += float(wanted.sum(dtype=torch.float64))
        others = weights.clone()
        others[:, key] = 0.0
        wanted = torch.where(others.sum(-1) > wanted, wanted, torch.zeros_like(wanted))
        if self.random is None:
            taken[:, key] = wanted
            return taken
        order = torch.rand(weights.shape, generator=self.random).to(weights.device)
        order = order.masked_fill(~rows.seen, 2.0)
        order[:, key] = 3.0
        order = order.argsort(-1)
        held = others.gather(-1, order)
        before = held.cumsum(-1) - held
        found = (wanted[:, None] - before).clamp(min=0.0).minimum(held)
        return taken.scatter(-1, order, found)


@final
@dataclass(frozen=True)
class Dropped:
    """Lets one head of a layer, or all of them, write nothing."""

    head: int | None = None

    def __call__(self, call: AttentionCall, out: Output, lengths: Lengths) -> Output:
        """Return zeros for the head, or the layer.

        Raises
        ------
        ValueError
            There is no such head.
        """
        del call, lengths
        if self.head is None:
            return torch.zeros_like(out)
        if self.head >= out.shape[1]:
            raise ValueError(
                f"head must be below {out.shape[1]}, the heads of the layer, got {self.head}."
            )
        changed = out.clone()
        changed[:, self.head] = 0.0
        return changed


@final
@dataclass(frozen=True)
class FrozenValues:
    """Mixes the mean value of every key over queries."""

    layer: int

    def __call__(self, call: AttentionCall, out: Output, lengths: Lengths) -> Output:
        """Return what attention gathers from static values.

        Raises
        ------
        TypeError
            The values of the layer are the same for every query.
        """
        del lengths
        if isinstance(call.values, Static):
            raise TypeError(
                f"The values of layer {self.layer} are the same for every query, so there is "
                f"nothing to freeze; name a layer whose values are decided for each query."
            )
        given = (call.query, call.key, call.values, call.weights)
        mean = mean_values(*given).to(call.query.dtype)
        keys = per_query_head(call.key, call.query.shape[1])
        found, _ = BACKENDS["blocked"](call.query, keys, Static(mean), call.weights)
        return found.to(out.dtype)


@final
@dataclass(frozen=True)
class Tempered:
    """Divides the scores of one head by a temperature."""

    what: Temperature

    def __call__(self, call: AttentionCall, out: Output, lengths: Lengths) -> Output:
        """Return what the head gathers with its weights spread or sharpened.

        Raises
        ------
        ValueError
            The weights of the layer do not compete.
        """
        if call.weights.normaliser != "softmax":
            raise ValueError(
                f"A temperature needs weights that compete; layer {self.what.layer} weighs "
                f"every key by itself."
            )
        changed, head = out.clone(), self.what.head
        for rows in head_rows(call, head, lengths):
            spread = self._spread(rows, virtual=call.weights.sink is not None)
            changed[rows.sequence, head, rows.queries] = rows.mixed(spread).to(out.dtype)
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

    def __call__(self, call: AttentionCall, out: Output, lengths: Lengths) -> Output:
        """Return outputs that have moved as far as the other change moves them."""
        size = (self.as_much_as(call, out, lengths) - out).norm(dim=-1, keepdim=True)
        noise = torch.randn(out.shape, generator=self.random).to(out)
        return out + noise * (size / noise.norm(dim=-1, keepdim=True))


def change_of(what: Intervention) -> Change:
    """Return what carries an intervention out.

    Raises
    ------
    TypeError
        Nothing is known to carry it out.
    """
    if isinstance(what, RemoveSink):
        return Change(what.layer, SinkRemoval(what))
    if isinstance(what, DropHead):
        return Change(what.layer, Dropped(what.head))
    if isinstance(what, DropLayer):
        return Change(what.layer, Dropped())
    if isinstance(what, FreezeValues):
        return Change(what.layer, FrozenValues(what.layer))
    if isinstance(what, Temperature):
        return Change(what.layer, Tempered(what))
    raise TypeError(f"Nothing carries out {type(what).__name__}.")


def control_of(what: Intervention, heads: Sequence[int], random: torch.Generator) -> Change:
    """Return one control, drawn at random; `heads` is how many heads each layer has.

    Raises
    ------
    ValueError
        The model has no other head, or no other layer, to draw.
    """
    if isinstance(what, RemoveSink):
        return Change(what.layer, SinkRemoval(what, random))
    if isinstance(what, DropHead):
        others = [
            (layer, head)
            for layer, count in enumerate(heads)
            for head in range(count)
            if (layer, head) != (what.layer, what.head)
        ]
        layer, head = _drawn(others, "head", random)
        return Change(layer, Dropped(head))
    if isinstance(what, DropLayer):
        layers = [layer for layer, count in enumerate(heads) if count and layer != what.layer]
        return Change(_drawn(layers, "layer", random), Dropped())
    return Change(what.layer, RandomDirection(change_of(what).edit, random))


def _drawn(others: Sequence[Place], kind: str, random: torch.Generator) -> Place:
    if not others:
        raise ValueError(f"The model has no other {kind} that could be dropped in its place.")
    return others[int(torch.randint(len(others), (), generator=random))]
