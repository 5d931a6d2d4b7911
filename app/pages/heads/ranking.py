"""Where a head stands among all heads of its model."""

from dataclasses import dataclass
from typing import final

import numpy as np

from ...catalogue import Measure
from ...library import Library, NothingToShowError
from ...state import Selection


@final
@dataclass(frozen=True)
class Rank:
    """A head and its value; `place` counts from 1 at the largest, out of `of` heads.

    `level` says that all heads read the same, so that no place means anything.
    """

    layer: int
    head: int
    value: float
    place: int
    of: int
    level: bool = False

    @property
    def ordinal(self) -> str:
        """Return the place as it is said: "highest", "2nd highest", ..., "lowest"."""
        if self.place == 1:
            return "highest"
        if self.place == self.of:
            return "lowest"
        return f"{_ordinal(self.place)} highest"


def ranks(library: Library, chosen: Selection, measure: Measure) -> tuple[Rank, ...]:
    """Return all heads of the chosen run that have a value, the largest first."""
    return library.cached(_ranks)(chosen.run, chosen.text, chosen.span, measure.name)


def _ranks(library: Library, run: str, text: str, span: int, measure: str) -> tuple[Rank, ...]:
    found = library.by_head(run, text, measure, span)
    if found is None:
        raise NothingToShowError(f"{run} does not hold {measure}.")
    values = found.values
    flat = values.ravel()
    order = [int(at) for at in np.argsort(-flat, kind="stable") if np.isfinite(flat[at])]
    known = flat[order]
    level = len(order) > 1 and bool(known[0] == known[-1])
    return tuple(
        Rank(
            layer=at // values.shape[1],
            head=at % values.shape[1],
            value=float(flat[at]),
            place=int((known > flat[at]).sum()) + 1,
            of=len(order),
            level=level,
        )
        for at in order
    )


def rank_of(library: Library, chosen: Selection, measure: Measure) -> Rank | None:
    """Return where the chosen head stands, or None where it has no value."""
    try:
        found = ranks(library, chosen, measure)
    except NothingToShowError:
        return None
    here = (chosen.layer, chosen.head)
    return next((rank for rank in found if (rank.layer, rank.head) == here), None)


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
