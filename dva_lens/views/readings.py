"""What a figure draws of a statistic: its mean over texts with an interval, and its reference.

Results average; nothing is computed here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.entries import EVERY, further_dimensions
from dva_lens.results.estimates import estimate, mean_of
from dva_lens.results.moments import Labelled
from dva_lens.results.spans import Spans
from dva_lens.views.conditions import Condition


@final
@dataclass(frozen=True)
class Reading:
    """A statistic of one condition along some dimensions, on these checkpoints and new text.

    `each` holds the single runs; `value` is their mean and `low` to `high` its 95 % interval,
    NaN where too few texts were read to give one; `note` says what else a reader has to know.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    each: np.ndarray
    sequences: int
    documents: int
    note: str = ""

    @property
    def has_interval(self) -> bool:
        """Whether any interval could be given."""
        return bool(np.isfinite(self.low).any())


def reading(
    condition: Condition,
    name: str,
    along: Sequence[str],
    *,
    spans: Sequence[int] | None = None,
    where: Mapping[str, Any] | None = None,
) -> Reading:
    """Return a statistic of a condition along dimensions, averaged over everything else.

    Parameters
    ----------
    condition : Condition
        The runs to read.
    name : str
        The statistic.
    along : sequence of str
        The dimensions to keep, in this order.
    spans : sequence of int, optional
        The context-length bins to read (`axes.span_of`); default: all.
    where : mapping, optional
        The label at which other dimensions are read, such as {"layer": 3}.
    """
    asked, measured = _asked(condition, name, along, spans, where), condition.measurements
    if where and (at := _further(measured.values(name, **asked), along, where)):
        values = measured.values(name, **asked).sel({axes.MODEL: [condition.label], **at})
        own = _of(condition, name, estimate(values, along))
    else:
        own = _of(condition, name, measured.estimate(name, along, **asked))
    return Reading(
        own["value"].values,
        own["low"].values,
        own["high"].values,
        own["each"].values,
        int(own["sequences"]),
        int(own["documents"]),
        str(own["note"].item()),
    )


def reference(
    condition: Condition,
    name: str,
    along: Sequence[str],
    *,
    spans: Sequence[int] | None = None,
    where: Mapping[str, Any] | None = None,
) -> np.ndarray | None:
    """Return what a statistic reads on uniform attention, averaged as `reading` does, or None."""
    asked, measured = _asked(condition, name, along, spans, where), condition.measurements
    found = measured.uniform(name, along, **asked)
    if found is None:
        return None
    if where and (level := measured.reference(name, **asked)) is not None:
        found = mean_of(level.sel(_further(level, along, where)), (axes.MODEL, *along))
    mean = _of(condition, name, found).values
    return mean if np.isfinite(mean).any() else None


def _asked(
    condition: Condition,
    name: str,
    along: Sequence[str],
    spans: Sequence[int] | None,
    where: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what to ask results for: which entry, and which context-length bins."""
    further = further_dimensions(condition.first(name))
    every = any(dim in further for dim in along)
    entry = {dim: label for dim, label in (where or {}).items() if dim in further}
    wanted: Spans = "all" if spans is None else tuple(spans)
    return {
        "entry": EVERY if every else entry,
        "spans": "each" if axes.SPAN in along else wanted,
    }


def _further(
    values: xr.DataArray, along: Sequence[str], where: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the labels that are still to be chosen of what results read."""
    return {
        dim: label
        for dim, label in (where or {}).items()
        if dim in values.dims and dim not in along
    }


def _of(condition: Condition, name: str, found: Labelled) -> Labelled:
    """Return what was found of one condition, without what only others have, such as layers."""
    one, known = found.sel({axes.MODEL: condition.label}), condition.first(name).dims
    own = {str(dim): condition.labels(str(dim)) for dim in one.dims if dim in known}
    if axes.SEED in one.dims:
        own[axes.SEED] = np.array([part.seed for part in condition.parts])
    others = {dim: at for dim, at in own.items() if not np.array_equal(at, one[dim].values)}
    return one.sel(others) if others else one
