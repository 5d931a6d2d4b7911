"""Changes of what attention mixes: other values under the weights that the model computed."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

import torch
from jaxtyping import Int
from torch import Tensor

from dva_lens.diagnostics.interventions.change import Output, PassRows
from dva_lens.diagnostics.interventions.value_paths import ValuePaths
from dva_lens.kernels.backends import BACKENDS
from dva_lens.kernels.blocked.moments import mean_values
from dva_lens.kernels.values import Static, Values, per_query_head
from dva_lens.recording.recorder import AttentionCall

FIRST = "first"
Operands = Mapping[str, Tensor]
NewValues = Callable[[AttentionCall, PassRows], Values]


@final
@dataclass(frozen=True)
class OtherValues:
    """Lets attention mix other values; where they are the same, nothing is computed."""

    other: NewValues

    def __call__(self, call: AttentionCall, out: Output, rows: PassRows) -> Output:
        """Return what attention gathers from the other values."""
        values = self.other(call, rows)
        if _same(values, call.values):
            return out.clone()
        found, _ = BACKENDS["blocked"](call.query, call.key, values, call.weights)
        return found.to(out.dtype)


def frozen(call: AttentionCall, out: Output, rows: PassRows) -> Output:
    """Return what attention gathers from the mean value of every key over queries."""
    del rows
    mean = mean_values(call.query, call.key, call.values, call.weights).to(call.query.dtype)
    keys = per_query_head(call.key, call.query.shape[1])
    found, _ = BACKENDS["blocked"](call.query, keys, Static(mean), call.weights)
    return found.to(out.dtype)


@final
@dataclass(frozen=True)
class OtherFirstValues:
    """The values of a layer with other values of the first layer in them."""

    paths: ValuePaths
    layer: int
    other: Callable[[Tensor, PassRows], Tensor]

    def __call__(self, call: AttentionCall, rows: PassRows) -> Values:
        """Return the values of the summands, the first layer's replaced."""
        del call
        parts = dict(self.paths.summands(self.layer))
        parts[FIRST] = self.other(parts[FIRST], rows)
        return self.paths.values(self.layer, functools.reduce(torch.add, parts.values()))


@final
@dataclass(frozen=True)
class ValuesFrom:
    """The values of a layer with some of what they are made of moved."""

    part: str
    moved: Callable[[str, Tensor, PassRows], Tensor]

    def __call__(self, call: AttentionCall, rows: PassRows) -> Values:
        """Return the values of the same form with other operands."""
        moved = {
            name: self.moved(name, each, rows)
            for name, each in operands_of(call.values, self.part).items()
        }
        return replace(call.values, **moved)  # pyright: ignore[reportArgumentType] - a dataclass


@final
@dataclass(frozen=True)
class OfAnotherText:
    """What was seen of every text, to be put into its place in another.

    `kept` holds (head, position, ...) of every sequence by name, and `partners` says whose each
    sequence gets.
    """

    partners: Sequence[int]
    kept: dict[str, list[Tensor]] = field(default_factory=dict[str, list[Tensor]])

    def keep(self, parts: Operands, rows: PassRows) -> None:
        """Keep parts of the sequences of a pass; passes come in the order of the texts."""
        for name, each in parts.items():
            held = self.kept.setdefault(name, [])
            held += [
                each[row, :, :length].clone() for row, length in enumerate(rows.lengths.tolist())
            ]

    def __call__(self, name: str, part: Tensor, rows: PassRows) -> Tensor:
        """Return a part with that of other texts in it, where these have the position."""
        moved = part.clone()
        for row, length in enumerate(rows.lengths.tolist()):
            other = self.kept[name][self.partners[rows.first + row]][:, :length]
            moved[row, :, : other.shape[1]] = other
        return moved


@final
@dataclass(frozen=True)
class InAnotherOrder:
    """The same text in another order of its positions, one for each sequence."""

    orders: Sequence[Int[Tensor, "_"]]

    def __call__(self, name: str, part: Tensor, rows: PassRows) -> Tensor:
        """Return a part whose positions are in another order."""
        del name
        moved = part.clone()
        for row, length in enumerate(rows.lengths.tolist()):
            order = self.orders[rows.first + row].to(part.device)
            moved[row, :, :length] = part[row][:, order]
        return moved


def operands_of(values: Values, part: str) -> dict[str, Tensor]:
    """Return what values are made of position by position, or only what is the query's of it."""
    held: dict[str, Any] = vars(values)
    left_out = (*values.shared, *values.places)
    names = values.of_query if part == "query" else [each for each in held if each not in left_out]
    return {name: held[name] for name in names}


def partners_of(documents: Sequence[str]) -> tuple[int, ...]:
    """Return, for every sequence, the next one that is of another document, round the end.

    Raises
    ------
    ValueError
        All are of one document.
    """
    if len(set(documents)) < 2:
        raise ValueError(
            f"Values are swapped between texts, which takes two documents or more, got one "
            f"({documents[0]!r}); pass several texts, each a document of its own."
        )
    count = len(documents)
    return tuple(
        next(
            (at + step) % count
            for step in range(1, count)
            if documents[(at + step) % count] != documents[at]
        )
        for at in range(count)
    )


def _same(ours: Values, theirs: Values) -> bool:
    """Say whether values are of one form and equal operands."""
    if type(ours) is not type(theirs):
        return False
    other: dict[str, Any] = vars(theirs)
    return all(torch.equal(each, other[name]) for name, each in vars(ours).items())
