"""Where a head stands among all heads of its model."""

from dataclasses import dataclass
from typing import final

import numpy as np

from .menu import Measure
from .queries import Library, NothingToShowError
from .selection import Selection


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


def ranks(library: Library, chosen: Selection, measure: Measure) -> list[Rank]:
    """Return all heads of the chosen run that have a value, the largest first."""
    heads = library.heads(chosen.run, chosen.probe, chosen.span)
    if measure.name not in heads:
        raise NothingToShowError(f"{chosen.run} does not hold {measure.long_name.lower()}.")
    values = heads[measure.name].transpose("layer", "head").values
    flat = values.ravel()
    order = [at for at in np.argsort(-flat, kind="stable") if np.isfinite(flat[at])]
    known = flat[order]
    return [
        Rank(
            *(int(part) for part in divmod(int(at), values.shape[1])),
            value=float(flat[at]),
            place=int((known > flat[at]).sum()) + 1,
            of=len(order),
            level=len(order) > 1 and float(known[0]) == float(known[-1]),
        )
        for at in order
    ]


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
