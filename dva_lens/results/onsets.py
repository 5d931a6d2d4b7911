"""When in training sinks appear: the first measured step with one at the first key of a head."""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from dva_lens import axes
from dva_lens.results.reader import Measurements
from dva_lens.results.sinks import MASS
from dva_lens.statistics.inference import student
from dva_lens.statistics.inference.estimate import FEWEST_SEEDS
from dva_lens.statistics.sinks import has_sink

COLUMNS = ("model", "seed", "layer", "head", "step", "before")


def sinks_by_step(measurements: Measurements) -> xr.DataArray:
    """Return whether heads have a sink at the first key, over (run, step, layer, head).

    The definition is that of `dva_lens.statistics.sinks`, at every step that was measured; the
    untrained model is step 0 where it was measured. Runs are named as `each_training` names them.

    Raises
    ------
    KeyError
        If no training holds the weight on the first key.

    Examples
    --------
    >>> from dva_lens.results.archive import open_archive
    >>> found = sinks_by_step(open_archive("runs/quick").on())
    >>> found.dims
    ('run', 'step', 'layer', 'head')
    """
    each = measurements.each_training().holding(MASS)
    counts = [part.data.sizes.get(axes.SPAN, 0) for part in each.parts]
    spans = tuple(range(axes.span_of(axes.MANY_KEYS), max(counts, default=0)))
    along = (axes.STEP, axes.LAYER, axes.HEAD)
    found = each.estimate(MASS, along, moment="every", spans=spans)
    uniform = each.uniform(MASS, (axes.STEP, axes.LAYER), moment="every", spans=spans)
    low, value = (found[name].rename({axes.MODEL: "run"}) for name in ("low", "value"))
    level = xr.full_like(low, np.nan)
    if uniform is not None:
        level = uniform.rename({axes.MODEL: "run"}).broadcast_like(low).transpose(*low.dims)
    untrained = xr.full_like(low, np.nan)
    if 0 in low[axes.STEP].values:
        untrained = value.sel({axes.STEP: 0}, drop=True).broadcast_like(low)
    untrained = untrained.transpose(*low.dims)
    return low.copy(data=has_sink(low.values, level.values, untrained.values))


def sink_onsets(measurements: Measurements) -> pd.DataFrame:
    """Return when heads first have a sink at the first key, the earliest first.

    Returns
    -------
    pandas.DataFrame
        One row per training, layer and head that ever has one: `step` is the first measured step
        with a sink, and `before` the one ahead of it (NaN if there is none), so that the sink
        appeared in between.

    Raises
    ------
    KeyError
        If no training holds the weight on the first key.
    """
    found = sinks_by_step(measurements)
    steps = found[axes.STEP].values
    rows: list[dict[str, Any]] = []
    parts = measurements.holding(MASS).parts
    for part, one in zip(parts, found.values, strict=True):
        for layer, head in np.argwhere(one.any(0)):
            at = int(one[:, layer, head].argmax())
            before = float(steps[at - 1]) if at else float("nan")
            place = (part.model, part.seed, int(layer), int(head))
            rows.append(dict(zip(COLUMNS, (*place, int(steps[at]), before), strict=True)))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values("step", kind="stable", ignore_index=True)


def onset_over_seeds(steps: np.ndarray) -> tuple[float, float, float]:
    """Return the mean step of an onset with its 95 % interval over seeds (t).

    The ends are NaN with fewer seeds than make a claim. `steps` holds one step per seed.
    """
    mean = float(np.mean(steps)) if len(steps) else float("nan")
    if len(steps) < FEWEST_SEEDS:
        return mean, float("nan"), float("nan")
    half = student.quantile(0.975, len(steps) - 1) * np.std(steps, ddof=1) / np.sqrt(len(steps))
    return mean, mean - float(half), mean + float(half)
