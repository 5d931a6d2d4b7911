"""What the inspector shows of heads, read from results for all heads of a run at once.

So choosing another head reads nothing and estimates nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from dva_lens import axes
from dva_lens.reports.findings import measured_on
from dva_lens.results.edges import edged_sequences
from dva_lens.results.estimates import estimate, mean_of
from dva_lens.results.schema import TOKENS_HASH
from dva_lens.results.sinks import MASS, sinks
from dva_lens.results.spans import ROWS

from ..catalogue import Measure
from ..head import Head
from ..library import Library, NothingToShowError, spans_of
from ..state import Selection

READ = (
    "entropy",
    "normalised_entropy",
    "effective_keys",
    "largest_weight",
    MASS,
    "written_value_drain",
    "value_drain",
    "dynamism",
)
"""The statistics that are read of every head, the chosen one besides."""


@final
@dataclass(frozen=True)
class HeadMean:
    """A mean with its 95 % interval for this checkpoint on new text, NaN where there is none."""

    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")

    @property
    def known(self) -> bool:
        """Whether there is a number."""
        return bool(np.isfinite(self.value))

    @property
    def ends(self) -> tuple[float, float] | None:
        """The ends of the interval, or None where too few texts give one."""
        return (self.low, self.high) if np.isfinite(self.low) and self.low < self.high else None


@final
@dataclass(frozen=True)
class HeadNumber:
    """A statistic of the chosen head, of the pinned one, and chosen minus pinned."""

    measure: Measure
    own: HeadMean
    uniform: float
    other: HeadMean
    minus: HeadMean


@final
@dataclass(frozen=True)
class HeadMeans:
    """Means of all heads of a run with the ends of their intervals, and what uniform reads."""

    means: Float[np.ndarray, "mean_and_ends layer head"]
    uniform: Float[np.ndarray, "layer"]


def sink_table(library: Library, chosen: Selection) -> pd.DataFrame | None:
    """Return the sinks of all heads on the chosen text, None where no run can have one."""
    library.as_measured(chosen.text)  # a text that no run was measured on is said on the page
    measured, untrained = measured_on(library.archive, chosen.text)
    if MASS not in measured.statistics:
        return None
    return sinks(measured, untrained=untrained)


def standing_out(library: Library, chosen: Selection) -> Head | None:
    """Return the head to begin with: that of the strongest sink, of those the text shows if any.

    None where no head has a sink.
    """
    table = library.remembered(sink_table)(chosen)
    names = {(run.model, run.seed): run.name for run in library.catalogue.runs}
    heads = [
        Head(names[row["model"], row["seed"]], row["layer"], row["head"])
        for row in ([] if table is None else table.to_dict("records"))
        if row["sink"] and (row["model"], row["seed"]) in names
    ]
    parts = library.as_measured(chosen.text).parts
    shown = {part.label for part in parts if edged_sequences(part.data)}
    return next(iter((*(head for head in heads if head.run in shown), *heads)), None)


def sink_of(library: Library, chosen: Selection, head: Head) -> Mapping[str, Any] | None:
    """Return the strongest sink of a head, or what it gives the first key where it has none."""
    run = library.catalogue.run(head.run)
    rows = library.remembered(_sinks_by_head)(chosen)
    return rows.get((run.model, run.seed, head.layer, head.head))


def _sinks_by_head(
    library: Library, chosen: Selection
) -> Mapping[tuple[str, int, int, int], Mapping[str, Any]]:
    table = library.remembered(sink_table)(chosen)
    found: dict[tuple[str, int, int, int], Mapping[str, Any]] = {}
    for row in () if table is None else table.to_dict("records"):
        place = (row["model"], row["seed"], row["layer"], row["head"])
        if row["sink"] or row["position"] == 0:
            found.setdefault(place, row)
    return found


def lines(library: Library, chosen: Selection) -> tuple[HeadNumber, ...]:
    """Return the statistics of the chosen head that any of both heads has a number of."""
    own = library.remembered(_of_run)(chosen)
    pin = chosen.pinned
    there = own if pin is None else library.remembered(_of_run)(chosen.but(run=pin.run))
    minus = {} if pin is None else library.remembered(_minus)(chosen)
    found = []
    for measure in _measures(library, chosen):
        name = measure.name
        mine = _at(own.get(name), chosen.at_hand)
        other = HeadMean() if pin is None else _at(there.get(name), pin)
        if mine.known or other.known:
            level = _level(own.get(name), chosen.layer)
            found.append(
                HeadNumber(measure, mine, level, other, _at(minus.get(name), chosen.at_hand))
            )
    return tuple(found)


def _measures(library: Library, chosen: Selection) -> list[Measure]:
    known = {measure.name: measure for measure in library.catalogue.head_measures}
    names = dict.fromkeys((*READ, chosen.statistic))
    return [known[name] for name in names if name in known]


def _of_run(library: Library, chosen: Selection) -> Mapping[str, HeadMeans]:
    """Return estimates over (layer, head) of every statistic that the chosen run has."""
    held = library.of_run(chosen.run, chosen.text)
    found = {}
    for measure in _measures(library, chosen):
        if measure.name not in held.statistics:
            continue
        spans = spans_of(measure, chosen.span) or "all"
        one = held.estimate(measure.name, (axes.LAYER, axes.HEAD), spans=spans)
        level = held.reference(measure.name, spans=spans)
        if measure.name != "dynamism" or bool((one["value"] > 0).any()):
            found[measure.name] = _head_means(one, level)
    return found


def _head_means(found: xr.Dataset, level: xr.DataArray | None = None) -> HeadMeans:
    """Take the numbers of one run out of estimates over (layer, head)."""
    one = found.isel({axes.MODEL: 0}).transpose(axes.LAYER, axes.HEAD, ...)
    means = np.stack([one[name].values for name in ("value", "low", "high")])
    uniform = np.full(means.shape[1], np.nan)
    if level is not None:
        uniform[:] = mean_of(level, (axes.LAYER,)).values
    return HeadMeans(means, uniform)


def _minus(library: Library, chosen: Selection) -> Mapping[str, HeadMeans]:
    """Return every head of the chosen run minus the pinned one, paired text by text.

    A statistic is left out where the two were not read from the same tokens.
    """
    pin = chosen.pinned
    if pin is None:
        return {}
    try:
        own = library.of_run(chosen.run, chosen.text)
        theirs = library.of_run(pin.run, chosen.text)
    except NothingToShowError:
        return {}
    found = {}
    for measure in _measures(library, chosen):
        name = measure.name
        if name not in own.statistics or name not in theirs.statistics:
            continue
        spans = spans_of(measure, chosen.span) or "all"
        one, other = (held.values(name, spans=spans) for held in (own, theirs))
        other = other.isel({axes.MODEL: 0, axes.SEED: 0, axes.LAYER: pin.layer}, drop=True)
        other = other.isel({axes.HEAD: pin.head}, drop=True)
        if _alike(one, other):
            left = one.copy(data=one.values - _aligned(other, one))
            found[name] = _head_means(estimate(left, (axes.LAYER, axes.HEAD)))
    return found


def _aligned(other: xr.DataArray, one: xr.DataArray) -> np.ndarray:
    at = one.dims.index(axes.SEQUENCE)
    return other.values.reshape([-1 if dim == at else 1 for dim in range(one.ndim)])


def _alike(one: xr.DataArray, other: xr.DataArray) -> bool:
    """Say whether two statistics were read from the same tokens, with the same weights."""
    for name in (axes.DOCUMENT, axes.LENGTH, TOKENS_HASH, ROWS):
        if (name in one.coords) != (name in other.coords):
            return False
        if name in one.coords:
            ours, theirs = one[name], other[name]
            if ours.sizes.get(axes.SEQUENCE) != theirs.sizes.get(axes.SEQUENCE):
                return False
            if ours.ndim != theirs.ndim or not (ours.values == theirs.values).all():
                return False
    return True


def _at(found: HeadMeans | None, head: Head) -> HeadMean:
    layers, heads = (0, 0) if found is None else found.means.shape[1:]
    if found is None or head.layer >= layers or head.head >= heads:
        return HeadMean()
    return HeadMean(*found.means[:, head.layer, head.head].tolist())


def _level(found: HeadMeans | None, layer: int) -> float:
    return float("nan") if found is None else float(found.uniform[layer])
