"""What a figure draws of a statistic: its mean over texts with an interval, and its reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.views.arms import Arm

ROWS = "rows"
REFERENCE = "_reference"
_DRAWS = 1000


@final
@dataclass(frozen=True)
class Reading:
    """A statistic of one arm along some dimensions, on these checkpoints and new text.

    `each` holds the single runs; `value` is their mean and `low` to `high` its 95 % interval,
    NaN where too few texts were read to give one.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    each: np.ndarray
    sequences: int
    documents: int

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
    return _bootstrap(
        np.stack([total for total, _ in parts]),
        np.stack([weight for _, weight in parts]),
        documents,
    )


def reference(
    arm: Arm, name: str, along: Sequence[str], *, spans: Sequence[int] | None = None
) -> np.ndarray | None:
    """Return what a statistic reads on uniform attention, averaged as `reading` does, or None."""
    run = arm.runs[0]
    if f"{name}{REFERENCE}" not in run:
        return None
    kept = [dim for dim in along if dim in run[f"{name}{REFERENCE}"].dims]
    total, weight = _sums(run, f"{name}{REFERENCE}", kept, spans=spans, where=None)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total.sum(0) / weight.sum(0)
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


def _bootstrap(total: np.ndarray, weight: np.ndarray, documents: np.ndarray) -> Reading:
    """Resample documents; totals and weights are over (run, sequence, *along)."""
    names, belongs = np.unique(documents, return_inverse=True)
    units = belongs if len(names) > 1 else np.arange(len(documents))
    count = int(units.max()) + 1
    pick = (units == np.arange(count)[:, None]).astype(float)
    tops, bottoms = (np.einsum("us,rs...->ru...", pick, part) for part in (total, weight))
    with np.errstate(invalid="ignore", divide="ignore"):
        each = tops.sum(1) / bottoms.sum(1)
    value = each.mean(0)
    low = high = np.full_like(value, np.nan)
    if count > 1:
        rng = np.random.default_rng(0)
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=_DRAWS).astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.einsum("bu,ru...->br...", drawn, tops) / np.einsum(
                "bu,ru...->br...", drawn, bottoms
            )
        low, high = np.nanquantile(ratio.mean(1), [0.025, 0.975], axis=0)
    return Reading(value, low, high, each, len(documents), len(names))
