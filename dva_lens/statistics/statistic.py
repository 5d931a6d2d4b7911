"""What a statistic is: a named number that knows its meaning, its needs and its reference."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np

from dva_lens.records import LayerRecord, Record
from dva_lens.sites import Site

Place = Literal["query", "key", "head", "kv_head", "layer", "model"]
Compute = Callable[[LayerRecord, "Batch"], np.ndarray]
Reference = Callable[[np.ndarray], np.ndarray]


@final
@dataclass(frozen=True)
class Batch:
    """What every layer of a record shares: tokens, lengths and visible keys per query."""

    tokens: np.ndarray
    lengths: np.ndarray
    loss: np.ndarray | None

    @classmethod
    def of(cls, record: Record) -> "Batch":
        """Take the shared part of a record."""
        return cls(record.tokens, record.lengths, record.loss)


@final
@dataclass(frozen=True)
class Statistic:
    """A number about attention or values, with everything needed to read it.

    `at` says what one number belongs to. `compute` maps one layer's record (and what its layers
    share) to an array over (sequence, head, query) for "query", (sequence, head[, *extra]) for
    "head", (sequence, kv_head[, *extra]) for "kv_head", (sequence[, *extra]) for "layer" and for
    "model", where it is called once. `extra` names further dimensions with their coordinates.
    Statistics at "query" are averaged within spans of visible keys.

    `reference` maps numbers of visible keys (for "query") or sequence lengths (otherwise) to what
    the statistic reads on uniform attention; None with `why_no_reference` where there is no such
    thing. A value that does not apply is NaN and `LayerRecord.why_not` gives the reason.
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
    reference: Reference | None
    why_no_reference: str = ""
    first_row: Literal["kept", "dropped"] = "kept"
    row_mass: str = "weights are used as they are"
    extra: Mapping[str, tuple[float | str, ...]] = field(default_factory=dict)
    pitfalls: str = ""
