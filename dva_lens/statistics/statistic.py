"""What a statistic is: a named number that knows its meaning, its needs and its reference."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf, log
from typing import Literal, final

import numpy as np
from jaxtyping import Float, Int

from dva_lens.records import KeyText, LayerRecord, Record
from dva_lens.sites import Site

Place = Literal["query", "key", "head", "kv_head", "layer", "model"]
Compute = Callable[[LayerRecord, "SharedRecord"], np.ndarray]
Reference = Callable[[np.ndarray], np.ndarray]
Bounds = Callable[[int], tuple[float, float]]


@final
@dataclass(frozen=True)
class SharedRecord:
    """What all layers of a record share.

    `tokens` are padded on the right with -1, `lengths` are in tokens, and `loss` is the next-token
    loss in nats at each position, or None where it was not recorded. `keys` is the text of the
    keys where queries are of another.
    """

    tokens: Int[np.ndarray, "sequence position"]
    lengths: Int[np.ndarray, "sequence"]
    loss: Float[np.ndarray, "sequence position"] | None
    keys: KeyText | None = None

    @classmethod
    def of(cls, record: Record) -> "SharedRecord":
        """Take the shared part of a record."""
        return cls(record.tokens, record.lengths, record.loss, record.keys)


def between(low: float, high: float) -> Bounds:
    """Return the bounds of a number that lies between these two at any length."""

    def bounds(length: int) -> tuple[float, float]:
        del length
        return low, high

    return bounds


def at_least(low: float) -> Bounds:
    """Return the bounds of a number that has no largest value."""
    return between(low, inf)


def entropy_range(length: int) -> tuple[float, float]:
    """Return the bounds of an entropy, in nats, over at most so many keys."""
    return 0.0, log(length)


UNIT = between(0.0, 1.0)
UNBOUNDED = between(-inf, inf)


@final
@dataclass(frozen=True)
class Labels:
    """What is kept beside the numbers of a statistic and never averaged, such as where each is.

    `about` maps each name to what it is and its units. `compute` returns an array for each name,
    shaped like the statistic, NaN where there is none.
    """

    about: Mapping[str, tuple[str, str]]
    compute: Callable[[LayerRecord, "SharedRecord"], Mapping[str, np.ndarray]]


@final
@dataclass(frozen=True)
class Statistic:
    """A number about attention or values, with everything needed to read it.

    `at` says what one number belongs to. `compute` maps one layer's record, and what all layers
    share, to an array over (sequence, head, query) for "query", (sequence, head[, *extra]) for
    "head", (sequence, kv_head[, *extra]) for "kv_head", (sequence[, *extra]) for "layer" and for
    "model", where it is called once. `extra` names further dimensions with their coordinates.
    Statistics at "query" are averaged within spans of visible keys. `bounds` maps the length of
    the longest sequence, in tokens, to the smallest and the largest value there can be.

    `reference` maps numbers of visible keys (for "query") or sequence lengths (otherwise) to what
    the statistic reads on uniform attention; None with `why_no_reference` where there is no such
    thing. A value that does not apply is NaN and `LayerRecord.why_not` gives the reason. With
    `one_text` the statistic compares places of queries with places of keys, which means nothing
    in cross-attention.

    `labels` share the version of the statistic. Where heads compose their weights, some of which
    may be negative, only statistics that are `signed` mean anything.
    """

    name: str
    version: int
    long_name: str
    units: str
    meaning: str
    formula: str
    source: str
    at: Place
    needs: tuple[Site[object], ...]
    compute: Compute
    bounds: Bounds
    reference: Reference | None
    why_no_reference: str = ""
    first_row: Literal["kept", "dropped"] = "kept"
    row_mass: str = "weights are used as they are"
    extra: Mapping[str, tuple[float | str, ...]] = field(
        default_factory=dict[str, tuple[float | str, ...]]
    )
    pitfalls: str = ""
    labels: Labels | None = None
    one_text: bool = False
    signed: bool = False
