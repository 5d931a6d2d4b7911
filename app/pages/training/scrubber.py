"""Every head at every measured step: a map, and what the browser needs to step through it.

All steps travel at once, so that playing asks the server for nothing (`assets/scrubber.js`).
"""

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from dva_lens import axes, views
from dva_lens.results.estimates import mean_of
from dva_lens.results.onsets import sinks_by_step
from dva_lens.results.reader import Measurements
from dva_lens.results.sinks import MASS

from ...catalogue import Measure
from ...components.attributes import attributes
from ...components.elements import html
from ...library import Library, NothingToShowError, spans_of
from ...state import Selection

PANEL = "training-map"


def step_map(library: Library, chosen: Selection) -> go.Figure:
    """Draw the chosen statistic of every head at the last step, on the scale of all steps."""
    values, measure = library.remembered(by_step)(chosen)
    held = _run(library, chosen)
    figure = views.layer_head_map(held, measure.name)
    meta: Any = figure.layout.meta
    caption = (
        f"Mean over texts of {chosen.run} at the step that is chosen, on the scale of all steps; "
        f"“sink” where a head has one at the first key."
    )
    figure.layout.meta = {**meta, "caption": caption}
    known = values.values[np.isfinite(values.values)]
    figure.update_layout(coloraxis={"cmin": float(known.min()), "cmax": float(known.max())})
    figure.update_traces(
        customdata=None,
        text=np.where(library.remembered(_sinks)(chosen)[-1], "sink", ""),
        texttemplate="%{text}",
        hovertemplate="layer %{y}, head %{x}: %{z:.4g}<extra></extra>",
    )
    return figure


def scrubber(library: Library, chosen: Selection) -> Any:
    """Return the numbers of all steps, for the browser to show one after the other."""
    values, _ = library.remembered(by_step)(chosen)
    steps = [int(step) for step in values[axes.STEP].values]
    numbers = [
        [[float(one) if np.isfinite(one) else None for one in row] for row in layer]
        for layer in values.values
    ]
    sinks = library.remembered(_sinks)(chosen).astype(int).tolist()
    said = json.dumps({"panel": PANEL, "steps": steps, "values": numbers, "sinks": sinks})
    return html.Div(className="scrub", **attributes(data_scrub=said))


def by_step(library: Library, chosen: Selection) -> tuple[xr.DataArray, Measure]:
    """Return the chosen statistic of the chosen run over (step, layer, head).

    Raises
    ------
    NothingToShowError
        The run was not measured during training, heads do not differ in the statistic, or no
        layer has it.
    """
    measure = library.catalogue.measure(chosen.statistic)
    held = _run(library, chosen)
    if measure.name not in held.statistics:
        raise NothingToShowError(f"{chosen.run} does not hold {measure.long_name.lower()}.")
    if not measure.per_head:
        raise NothingToShowError(
            f"{measure.long_name} is one number per {measure.at}, so heads do not differ in it."
        )
    spans = spans_of(measure, chosen.span) or "all"
    values = held.values(measure.name, moment="every", spans=spans)
    if not np.isfinite(values.values).any():
        why = held.variable(measure.name).attrs.get("why_not", "no query sees as many keys")
        raise NothingToShowError(f"{chosen.run} has no {measure.long_name.lower()}: {why}.")
    head = axes.HEAD if axes.HEAD in values.dims else axes.KV_HEAD
    return mean_of(values, (axes.STEP, axes.LAYER, head)), measure


def _run(library: Library, chosen: Selection) -> Measurements:
    label = library.archive.run(library.catalogue.run(chosen.run).key).label
    grown = library.history(chosen.text)
    parts = tuple(part for part in grown.parts if part.label == label)
    if not parts:
        raise NothingToShowError(f"{chosen.run} was measured after training only.")
    return Measurements(parts, chosen.text)


def _sinks(library: Library, chosen: Selection) -> np.ndarray:
    """Return where the run has a sink, over (step, layer, head), in the shape of its values."""
    values, _ = library.remembered(by_step)(chosen)
    held = _run(library, chosen)
    if MASS not in held.statistics:
        return np.zeros(values.shape, dtype=bool)
    found = sinks_by_step(held).values[0]
    return found if found.shape == values.shape else np.zeros(values.shape, dtype=bool)
