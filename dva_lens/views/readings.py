"""What a figure draws of a statistic: its mean over texts with an interval, and its reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.statistics.inference.estimate import profile
from dva_lens.views.arms import Arm

ROWS = "rows"
REFERENCE = "_reference"


@final
@dataclass(frozen=True)
class Reading:
    """A statistic of one arm along some dimensions, on these checkpoints and new text.

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
    arm: Arm,
    name: str,
    along: Sequence[str],
    *,
    spans: Sequence[int] | None = None,
    where: Mapping[str, Any] | None = None,
) -> Reading:
    """Return a statistic of an arm along dimensions, averaged over everything else.

    Row statistics are averaged over queries (each span weighs as many queries as it holds), of
    the given spans only if there are any.
    """
    parts = [_sums(run, name, along, spans=spans, where=where) for run in arm.runs]
    documents = _documents(arm)
    return _over_texts(
        np.stack([total for total, _ in parts]),
        np.stack([weight for _, weight in parts]),
        documents,
    )


def reference(
    arm: Arm,
    name: str,
    along: Sequence[str],
    *,
    spans: Sequence[int] | None = None,
    where: Mapping[str, Any] | None = None,
) -> np.ndarray | None:
    """Return what a statistic reads on uniform attention, averaged as `reading` does, or None."""
    run = arm.runs[0]
    if f"{name}{REFERENCE}" not in run:
        return None
    kept = [dim for dim in along if dim in run[f"{name}{REFERENCE}"].dims]
    total, weight = _sums(run, f"{name}{REFERENCE}", kept, spans=spans, where=where)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.asarray(total.sum(0) / weight.sum(0))
    return mean if np.isfinite(mean).any() else None


def _sums(
    run: xr.Dataset,
    name: str,
    along: Sequence[str],
    *,
    spans: Sequence[int] | None,
    where: Mapping[str, Any] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return weighted sums and weights over (sequence, *along) of what is not NaN."""
    values = run[name]
    if where:
        values = values.sel({dim: at for dim, at in where.items() if dim in values.dims})
    weights = xr.ones_like(values, dtype=float)
    if axes.SPAN in values.dims:
        weights = weights * run[ROWS]
        if spans is not None:
            values = values.sel({axes.SPAN: list(spans)})
            weights = weights.sel({axes.SPAN: list(spans)})
    if axes.SEQUENCE not in values.dims:
        raise ValueError(f"{name!r} must have a dimension 'sequence', got {values.dims}.")
    order = (axes.SEQUENCE, *along)
    weights = weights.where(np.isfinite(values), 0.0)
    rest = [dim for dim in values.dims if dim not in order]
    total = (values.fillna(0.0) * weights).sum(rest).transpose(*order)
    return total.values.astype(float), weights.sum(rest).transpose(*order).values


def _documents(arm: Arm) -> np.ndarray:
    run = arm.runs[0]
    count = run.sizes[axes.SEQUENCE]
    names = run[axes.DOCUMENT].values if axes.DOCUMENT in run.coords else np.arange(count)
    for other in arm.runs[1:]:
        if other.sizes[axes.SEQUENCE] != count:
            raise ValueError(
                f"The runs of {arm.label!r} were measured on different texts "
                f"({count} and {other.sizes[axes.SEQUENCE]} sequences); draw them as two arms."
            )
    return np.asarray([str(found) for found in names])


def _over_texts(total: np.ndarray, weight: np.ndarray, documents: np.ndarray) -> Reading:
    """Average over runs, then over texts; totals and weights are over (run, sequence, *along)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        each = total.sum(1) / weight.sum(1)
    held = weight > 0
    by_text = np.divide(total, weight, out=np.zeros_like(total), where=held)
    runs = held.sum(0)
    means = np.divide(by_text.sum(0), runs, out=np.full(runs.shape, np.nan), where=runs > 0)
    found = profile(means, documents, weights=weight.max(0))
    names = len(np.unique(documents))
    return Reading(
        found.mean, found.low, found.high, each, len(documents), names, found.note.rstrip(".")
    )
