"""Every head of one model: a map, and a cloud of points by two statistics."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from dva_lens import axes, views
from dva_lens.results.reader import Measurements
from dva_lens.views import theme

from ...catalogue import Measure
from ...head import Head
from ...library import Library, NothingToShowError
from ...state import EVERY_SPAN, Selection
from ...unattended import unattended

_MARK: dict[str, Any] = {"color": theme.PALETTE[2], "width": 3}
_PINNED = {**_MARK, "dash": "dot"}


MANY = 64
"""Of more heads than these the whiskers are faint, because they would cover the marks."""


def head_map(library: Library, chosen: Selection) -> go.Figure:
    """Draw the chosen statistic of every head of the chosen run."""
    measure, held = of_run(library, chosen)
    return views.layer_head_map(_at_span(held, measure, chosen.span), measure.name)


def mark_in_map(library: Library, chosen: Selection) -> list[dict[str, Any]]:  # noqa: ARG001
    """Return the frames around the chosen head and, broken, the pinned one in the map."""
    pin = chosen.pinned
    frames = [_frame(pin, _PINNED)] if pin is not None and pin.run == chosen.run else []
    return [*frames, _frame(chosen.at_hand, _MARK)]


def _frame(head: Head, line: dict[str, Any]) -> dict[str, Any]:
    x, y = head.head, head.layer
    return {"type": "rect", "x0": x - 0.5, "x1": x + 0.5, "y0": y - 0.5, "y1": y + 0.5,
            "line": line}  # fmt: skip


def head_scatter(library: Library, chosen: Selection) -> go.Figure:
    """Draw every head of the chosen run at the two chosen statistics, coloured by layer."""
    across, held = of_run(library, chosen)
    up, _ = of_run(library, chosen.but(statistic=chosen.other))
    held = _at_span(held, across if across.spans else up, chosen.span)
    figure = views.head_scatter(held, across.name, up.name)
    run = library.catalogue.run(chosen.run)
    places = [(layer, head) for layer in range(run.layers) for head in range(run.heads)]
    traces: Any = figure.data
    cloud = traces[0]
    cloud.customdata = [{"layer": layer, "head": head} for layer, head in places]
    cloud.marker.color = [layer for layer, _ in places]
    cloud.marker.colorscale = theme.SEQUENTIAL
    cloud.marker.opacity = 1
    cloud.marker.line = {"width": 1.2, "color": theme.OUTLINE}
    cloud.marker.colorbar = {
        "title": {"text": "Layer", "side": "right"},
        "thickness": 12,
        "outlinewidth": 0,
        "dtick": max(1, run.layers // 8),
    }
    cloud.showlegend = False
    figure.update_layout(dragmode="lasso")
    for whiskers in (cloud.error_x, cloud.error_y):
        whiskers.color = theme.faded(theme.PALETTE[0], 0.45 if len(places) <= MANY else 0.12)
    return figure


def mark_in_scatter(library: Library, chosen: Selection) -> list[dict[str, Any]]:
    """Return the rings around the chosen head and, broken, the pinned one among all."""
    run, pin = (chosen.run, chosen.text), chosen.pinned
    names = (chosen.statistic, chosen.other)
    found = [library.by_head(*run, name, chosen.span) for name in names]
    heads = [(pin, _PINNED)] if pin is not None and pin.run == chosen.run else []
    return [
        ring
        for head, line in (*heads, (chosen.at_hand, _MARK))
        for ring in _ring(found, head, line)
    ]


def _ring(
    found: Sequence[xr.DataArray | None], head: Head, line: dict[str, Any]
) -> list[dict[str, Any]]:
    at = head.layer, head.head
    x, y = (float("nan") if one is None else float(one.values[at]) for one in found)
    if not np.isfinite([x, y]).all():
        return []
    ring = {"xsizemode": "pixel", "ysizemode": "pixel", "x0": -9, "x1": 9, "y0": -9, "y1": 9}
    return [{"type": "circle", **ring, "xanchor": x, "yanchor": y, "line": line}]


def of_run(library: Library, chosen: Selection) -> tuple[Measure, Measurements]:
    """Return the chosen statistic and the run that holds it, or say why heads cannot be shown.

    Raises
    ------
    NothingToShowError
        The statistic is not one number per head, the run does not hold it, or nothing attends.
    """
    measure = library.catalogue.measure(chosen.statistic)
    held = library.of_run(chosen.run, chosen.text)
    if not measure.per_head:
        raise NothingToShowError(
            f"{measure.long_name} is one number per {measure.at}, so heads do not differ in it; "
            f"choose another statistic."
        )
    if why := unattended(library, chosen.run, chosen.text):
        raise NothingToShowError(why)
    if measure.name not in held.statistics:
        raise NothingToShowError(f"{chosen.run} does not hold {measure.long_name.lower()}.")
    return measure, held


def _at_span(held: Measurements, measure: Measure, span: int) -> Measurements:
    """Keep the queries of one span, or of all."""
    if not measure.spans or span == EVERY_SPAN:
        return held
    (part,) = held.parts
    if span not in part.data[axes.SPAN]:
        raise NothingToShowError(f"No query of this text sees {axes.span_label(span)} keys.")
    kept = replace(part, data=part.data.sel({axes.SPAN: [span]}))
    return Measurements((kept,), held.text)
