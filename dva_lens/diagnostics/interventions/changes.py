"""What an intervention, or its control, does to the output of an attention while a model runs.

A change is called once per layer with the attention as the model asked for it and with its
output, before gates and W_O, and returns the output that the model goes on with. It is linear in
what is taken away: o_i - sum_j d_ij v_ij, where d_ij is the weight removed from key j.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

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
from dva_lens.kernels.values import Static, Values, per_query_head
from dva_lens.recording.closeup import of_heads
from dva_lens.recording.recorder import AttentionCall
from dva_lens.recording.tiles import alone, rows_of

Output = Float[Tensor, "sequence head query width"]
Weights = Float[Tensor, "row key"]
Change = Callable[[int, AttentionCall, Output, Int[Tensor, "sequence"]], Output]
"""Gets the layer, the attention, its output and the lengths of the sequences."""

Place = TypeVar("Place")

ROWS = 64


@final
@dataclass
class RemovedMass:
    """How much weight was taken from keys, and how much of it there was to take."""

    removed: float = 0.0
    asked: float = 0.0


@final
@dataclass(frozen=True)
class OneHead:
    """The values that one of so many query heads mixes."""

    values: Values
    head: int
    heads: int

    def mixed(
        self, sequence: int, rows: Int[Tensor, "row"], weights: Weights
    ) -> Float[Tensor, "row width"]:
        """Return sum_j w_ij v_ij of some queries of a sequence."""
        if isinstance(self.values, Static):
            value = self.values.value[sequence]
            held = value[self.head * len(value) // self.heads, : weights.shape[1]]
            return weights @ held.to(weights.dtype)
        mine = alone(self.values, sequence)
        keys = torch.arange(weights.shape[1], device=weights.device)
        parts = []
        for some in keys.split(ROWS):
            each = mine.pairs(rows, some, self.heads)[0, self.head].to(weights.dtype)
            parts.append(torch.einsum("rk,rkw->rw", weights[:, some], each))
        return functools.reduce(torch.add, parts)


@final
@dataclass(frozen=True)
class SinkRemoval:
    """Takes weight from one key, or with a generator the same from others; counts what it took."""

    what: RemoveSink
    random: torch.Generator | None = None
    mass: RemovedMass = field(default_factory=RemovedMass)

    def __call__(
        self, layer: int, call: AttentionCall, out: Output, lengths: Int[Tensor, "sequence"]
    ) -> Output:
        """Return the output without what was removed."""
        if layer != self.what.layer:
            return out
        changed, head = out.clone(), self.what.head
        call, values = of_heads(call, [head]), OneHead(call.values, head, out.shape[1])
        for sequence, rows, weights, seen in _rows(call, lengths):
            taken = self._taken(weights, seen)
            total = taken.sum(-1)
            self.mass.removed += float(total.sum(dtype=torch.float64))
            lost = values.mixed(sequence, rows, taken)
            left = out[sequence, head, rows].to(lost.dtype) - lost
            if self.what.by == "mask" and call.weights.normaliser == "softmax":
                left = left / (1.0 - total)[:, None]
            touched = total > 0
            place = rows[touched]
            changed[sequence, head, place] = left[touched].to(out.dtype)
        return changed

    def _taken(self, weights: Weights, seen: Bool[Tensor, "row key"]) -> Weights:
        """Return what is taken from every key; nothing where the others hold less than it."""
        key = self.what.key
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
        order = order.masked_fill(~seen, 2.0)
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

    layer: int
    head: int | None

    def __call__(
        self, layer: int, call: AttentionCall, out: Output, lengths: Int[Tensor, "sequence"]
    ) -> Output:
        """Return zeros for the head, or the layer."""
        del call, lengths
        if layer != self.layer:
            return out
        if self.head is None:
            return torch.zeros_like(out)
        _check_head(self.head, out)
        changed = out.clone()
        changed[:, self.head] = 0.0
        return changed


@final
@dataclass(frozen=True)
class FrozenValues:
    """Mixes the mean value of every key over queries."""

    layer: int

    def __call__(
        self, layer: int, call: AttentionCall, out: Output, lengths: Int[Tensor, "sequence"]
    ) -> Output:
        """Return what attention gathers from static values.

        Raises
        ------
        TypeError
            The values of the layer are the same for every query.
        """
        del lengths
        if layer != self.layer:
            return out
        if isinstance(call.values, Static):
            raise TypeError(
                f"The values of layer {layer} are the same for every query, so there is nothing "
                f"to freeze; name a layer whose values are decided for each query."
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

    def __call__(
        self, layer: int, call: AttentionCall, out: Output, lengths: Int[Tensor, "sequence"]
    ) -> Output:
        """Return what the head gathers with its weights spread or sharpened.

        Raises
        ------
        ValueError
            The weights of the layer do not compete.
        """
        if layer != self.what.layer:
            return out
        if call.weights.normaliser != "softmax":
            raise ValueError(
                f"A temperature needs weights that compete; layer {layer} weighs every key by "
                f"itself."
            )
        changed, head = out.clone(), self.what.head
        call, values = of_heads(call, [head]), OneHead(call.values, head, out.shape[1])
        for sequence, rows, weights, seen in _rows(call, lengths):
            spread = self._spread(weights, seen, virtual=call.weights.sink is not None)
            found = values.mixed(sequence, rows, spread)
            changed[sequence, head, rows] = found.to(out.dtype)
        return changed

    def _spread(
        self, weights: Weights, seen: Bool[Tensor, "row key"], *, virtual: bool
    ) -> Weights:
        logs = weights.log().masked_fill(~seen, -torch.inf) / self.what.temperature
        if not virtual:
            return torch.softmax(logs, -1).nan_to_num(0.0)
        rest = (1.0 - weights.sum(-1, keepdim=True)).clamp(min=0.0).log() / self.what.temperature
        return torch.softmax(torch.cat([logs, rest], -1), -1)[:, :-1].nan_to_num(0.0)


@final
@dataclass(frozen=True)
class RandomDirection:
    """Changes every output as much as another change does, in a direction drawn at random."""

    as_much_as: Change
    random: torch.Generator

    def __call__(
        self, layer: int, call: AttentionCall, out: Output, lengths: Int[Tensor, "sequence"]
    ) -> Output:
        """Return outputs that have moved as far as the other change moves them."""
        moved = self.as_much_as(layer, call, out, lengths)
        if moved is out:
            return out
        size = (moved - out).norm(dim=-1, keepdim=True)
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
        return SinkRemoval(what)
    if isinstance(what, DropHead):
        return Dropped(what.layer, what.head)
    if isinstance(what, DropLayer):
        return Dropped(what.layer, None)
    if isinstance(what, FreezeValues):
        return FrozenValues(what.layer)
    if isinstance(what, Temperature):
        return Tempered(what)
    raise TypeError(f"Nothing carries out {type(what).__name__}.")


def control_of(what: Intervention, heads: list[int], random: torch.Generator) -> Change:
    """Return one control, drawn at random; `heads` is how many heads each layer has.

    Raises
    ------
    ValueError
        The model has no other head, or no other layer, to draw.
    """
    if isinstance(what, RemoveSink):
        return SinkRemoval(what, random)
    if isinstance(what, DropHead):
        others = [
            (layer, head)
            for layer, count in enumerate(heads)
            for head in range(count)
            if (layer, head) != (what.layer, what.head)
        ]
        return Dropped(*_drawn(others, "head", random))
    if isinstance(what, DropLayer):
        layers = [layer for layer, count in enumerate(heads) if count and layer != what.layer]
        return Dropped(_drawn(layers, "layer", random), None)
    return RandomDirection(change_of(what), random)


def _drawn(others: Sequence[Place], kind: str, random: torch.Generator) -> Place:
    if not others:
        raise ValueError(f"The model has no other {kind} that could be dropped in its place.")
    return others[int(torch.randint(len(others), (), generator=random))]


def _rows(
    call: AttentionCall, lengths: Int[Tensor, "sequence"]
) -> Iterator[tuple[int, Int[Tensor, "row"], Weights, Bool[Tensor, "row key"]]]:
    """Go through the rows of the only head: sequence, queries, weights, and what they see."""
    for sequence, length in enumerate(lengths.tolist()):
        own = slice(sequence, sequence + 1)
        places = torch.arange(length, device=call.query.device)
        rule = alone(call.weights, sequence)
        for rows in places.split(ROWS):
            weights, seen = rows_of(call.query[own], call.key[own], rule, rows, places)
            yield sequence, rows, weights[0], seen


def _check_head(head: int, out: Output) -> None:
    if head >= out.shape[1]:
        raise ValueError(f"head must be below {out.shape[1]}, the heads of the layer, got {head}.")
