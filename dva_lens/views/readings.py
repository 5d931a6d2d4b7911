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
    values = condition.measurements.values(name, **_asked(condition, name, along, spans, where))
    found = estimate(_selected(values, along, where), along).isel({axes.MODEL: 0})
    return Reading(
        found["value"].values,
        found["low"].values,
        found["high"].values,
        found["each"].values,
        int(found["sequences"]),
        int(found["documents"]),
        str(found["note"].item()),
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
    values = condition.measurements.reference(name, **_asked(condition, name, along, spans, where))
    if values is None:
        return None
    mean = mean_of(_selected(values, along, where), along).values
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


def _selected(
    values: xr.DataArray, along: Sequence[str], where: Mapping[str, Any] | None
) -> xr.DataArray:
    left = {
        dim: label
        for dim, label in (where or {}).items()
        if dim in values.dims and dim not in along
    }
    return values.sel(left)
