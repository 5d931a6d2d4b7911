"""When in training the signs of an extreme token come: where each has moved half of its way.

A sink, a drained value and a peak of the residual stream come gradually, and models are measured
at few steps. So a change point is where a straight line between two measured steps, over the
logarithm of the step, crosses the middle between what the logarithm of a number is at first and at
last: the same scale for all signs, so that none is early because of it. Which sign comes first is
asked head by head within each training.
"""

# Strict but for what xarray leaves untyped in its own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int

from dva_lens import axes
from dva_lens.results.onsets import sinks_by_step
from dva_lens.results.reader import Measurements
from dva_lens.results.sinks import DRAINS, MASS
from dva_lens.statistics.sinks import DRAINED

PEAK = "massive_activation"
GREW = 2.0
"""A peak that ends at less than this many times what it was has not come."""


@final
@dataclass(frozen=True)
class ChangePoints:
    """One training: how many heads end with a sink at the first key, and when its signs came.

    `sink` and `drain` are steps of the heads that end with a sink; a drain is NaN where the value
    does not end drained. `peak` is the step of the residual stream, NaN where it has no peak.
    `steps` are those that were measured.
    """

    model: str
    seed: int
    steps: np.ndarray
    sink: np.ndarray
    drain: np.ndarray
    peak: float

    @property
    def heads(self) -> int:
        """How many heads end with a sink."""
        return len(self.sink)

    def middle(self, sign: str) -> float:
        """Return when a sign came in this training: the geometric mean over its heads."""
        found = np.atleast_1d(getattr(self, sign))
        found = found[np.isfinite(found)]
        return float(np.expm1(np.log1p(found).mean())) if len(found) else float("nan")

    def later(self, sign: str) -> float:
        """Return how much later than its sink a sign came: the mean log ratio of steps by head."""
        ratio = np.log1p(np.broadcast_to(getattr(self, sign), self.sink.shape))
        ratio = ratio - np.log1p(self.sink)
        return float(np.nanmean(ratio)) if np.isfinite(ratio).any() else float("nan")


def half_way(
    steps: Int[np.ndarray, "step"], values: Float[np.ndarray, "step *cell"]
) -> Float[np.ndarray, "*cell"]:
    """Return the step at which numbers are first half-way from their first to their last.

    Between measured steps they follow a line over log(1 + step). NaN where one of them is NaN, or
    where the last is the first.
    """
    start, end = values[0], values[-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = (values - start) / (end - start)
        past = moved >= 0.5
        at = past.argmax(0)
        after = np.take_along_axis(moved, at[None], 0)[0]
        before = np.take_along_axis(moved, np.maximum(at - 1, 0)[None], 0)[0]
        share = (0.5 - before) / (after - before)
    log = np.log1p(steps.astype(float))
    found = np.expm1(log[np.maximum(at - 1, 0)] + share * (log[at] - log[np.maximum(at - 1, 0)]))
    known = np.isfinite(values).all(0) & (start != end)
    return np.where(known, found, np.nan)


def change_points(measurements: Measurements) -> tuple[ChangePoints, ...]:
    """Return when the signs came in every training that was measured as it was trained.

    Trainings of models that do not attend are left out.

    Raises
    ------
    KeyError
        If no training holds the weight on the first key.
    """
    grown = measurements.each_training().holding(MASS)
    kept = [
        part.model
        for part in grown.parts
        if part.data.sizes.get(axes.STEP, 1) > 2 and np.isfinite(part.data[MASS].values).any()
    ]
    if not kept:
        return ()
    grown = grown.of(*kept)
    ends = sinks_by_step(grown).isel({axes.STEP: -1})
    mass = _by_step(grown, MASS, axes.HEAD)
    drain = next((_by_step(grown, n, axes.KV_HEAD) for n in DRAINS if n in grown.statistics), {})
    peak = _by_step(grown, PEAK) if PEAK in grown.statistics else {}
    found: list[ChangePoints] = []
    for number, part in enumerate(grown.parts):
        steps = np.asarray(part.data[axes.STEP].values)
        heads = np.argwhere(ends.values[number])
        sink = half_way(steps, np.log(mass[part.model][:, heads[:, 0], heads[:, 1]]))
        own = _drains(drain.get(part.model), mass[part.model], heads)
        name = part.model.removesuffix(f" · seed {part.seed}")
        came = _peak(steps, peak.get(part.model))
        found.append(ChangePoints(name, part.seed, steps, sink, _of_drained(steps, own), came))
    return tuple(found)


def _by_step(grown: Measurements, name: str, heads: str = "") -> Mapping[str, np.ndarray]:
    """Return a statistic over (step, layer, head) for every training."""
    along = (axes.STEP, axes.LAYER, *([heads] if heads else []))
    counts = [part.data.sizes.get(axes.SPAN, 0) for part in grown.parts]
    spans = tuple(range(axes.span_of(axes.MANY_KEYS), max(counts, default=0)))
    many = spans if name == MASS else "all"
    found = grown.estimate(name, along, moment="every", spans=many)["value"]
    values = {str(one): found.sel({axes.MODEL: one}) for one in found[axes.MODEL].values}
    return {
        one: held.values[np.isfinite(held.values).any((1, *range(2, held.ndim)))]
        for one, held in values.items()
    }


def _drains(
    drain: np.ndarray | None, mass: np.ndarray, heads: np.ndarray
) -> Float[np.ndarray, "step head"]:
    """Return the drain of the values that some heads attend to, NaN where not measured."""
    if drain is None:
        return np.full((len(mass), len(heads)), np.nan)
    many = int(np.isfinite(mass).any((0, 1)).sum())
    groups = int(np.isfinite(drain).any((0, 1)).sum())
    group = np.minimum(heads[:, 1] * groups // max(many, 1), max(groups, 1) - 1)
    return drain[:, heads[:, 0], group]


def _of_drained(steps: np.ndarray, drain: np.ndarray) -> np.ndarray:
    """Return when values were drained half of the way; NaN where they do not end drained."""
    with np.errstate(invalid="ignore", divide="ignore"):
        came = half_way(steps, np.log(drain))
        return np.where(drain[-1] < DRAINED, came, np.nan)


def _peak(steps: np.ndarray, ratio: np.ndarray | None) -> float:
    """Return when the largest massive-activation ratio came, NaN where it hardly grew."""
    if ratio is None:
        return float("nan")
    largest = np.nanmax(ratio, axis=1)
    if not largest[-1] >= GREW * largest[0]:
        return float("nan")
    return float(half_way(steps, np.log(largest)))
