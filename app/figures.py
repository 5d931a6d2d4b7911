"""What each panel draws: the views, given what was chosen, and two figures of a single head."""

from typing import Any, cast

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from dva_lens import axes, views
from dva_lens.results.schema import BY_QUERY
from dva_lens.views import theme

from .menu import Measure
from .queries import Library, NothingToShowError, spans_of
from .selection import EVERY_SPAN, Selection

_MARK = {"color": theme.PALETTE[2], "width": 3}


def depth_by_model(library: Library, chosen: Selection) -> go.Figure:
    """Draw the chosen statistic by depth, one line per model; its points lead to their heads."""
    measure = library.menu.measure(chosen.statistic)
    if measure.at == "model":
        raise NothingToShowError(f"{measure.long_name} is one number per text, not per layer.")
    models = library.models(chosen.probe, lambda run: measure.name in run)
    if not models:
        raise NothingToShowError(f"No run holds {measure.long_name.lower()} on “{chosen.probe}”.")
    figure = views.depth_profile(models, measure.name, spans=spans_of(measure, chosen.span))
    _lead_to_heads(figure, library, chosen.probe)
    figure.update_layout(hovermode="closest")
    return figure


def head_map(library: Library, chosen: Selection) -> go.Figure:
    """Draw the chosen statistic of every head of the chosen run."""
    measure, held = of_run(library, chosen)
    return views.layer_head_map(at_span(held, measure, chosen.span), measure.name)


def mark_in_map(library: Library, chosen: Selection) -> list[dict[str, Any]]:  # noqa: ARG001
    """Return the frame around the chosen head in the map."""
    return [
        {
            "type": "rect",
            "x0": chosen.head - 0.5,
            "x1": chosen.head + 0.5,
            "y0": chosen.layer - 0.5,
            "y1": chosen.layer + 0.5,
            "line": _MARK,
        }
    ]


def head_scatter(library: Library, chosen: Selection) -> go.Figure:
    """Draw every head of the chosen run at the two chosen statistics, coloured by layer."""
    across, held = of_run(library, chosen)
    up, _ = of_run(library, chosen.but(statistic=chosen.other))
    held = at_span(held, across if across.spans else up, chosen.span)
    figure = views.head_scatter(held, across.name, up.name)
    run = library.menu.run(chosen.run)
    places = [(layer, head) for layer in range(run.layers) for head in range(run.heads)]
    cloud = traces_of(figure)[0]
    cloud.customdata = [{"layer": layer, "head": head} for layer, head in places]
    cloud.marker.color = [layer for layer, _ in places]
    cloud.marker.colorscale = theme.SEQUENTIAL
    cloud.marker.opacity = 1
    cloud.marker.line = {"width": 1, "color": "rgba(128, 136, 146, 0.6)"}
    cloud.marker.colorbar = {
        "title": {"text": "Layer", "side": "right"},
        "thickness": 12,
        "outlinewidth": 0,
        "dtick": max(1, run.layers // 8),
    }
    cloud.showlegend = False
    for whiskers in (cloud.error_x, cloud.error_y):
        whiskers.color = theme.faded(theme.PALETTE[0], 0.45)
    return figure


def mark_in_scatter(library: Library, chosen: Selection) -> list[dict[str, Any]]:
    """Return the ring around the chosen head among all."""
    heads = library.heads(chosen.run, chosen.probe, chosen.span)
    point = {}
    for axis, name in (("x", chosen.statistic), ("y", chosen.other)):
        if name not in heads:
            return []
        point[axis] = float(heads[name].values[chosen.layer, chosen.head])
    if not np.isfinite(list(point.values())).all():
        return []
    ring = {"xsizemode": "pixel", "ysizemode": "pixel", "x0": -9, "x1": 9, "y0": -9, "y1": 9}
    anchor = {"xanchor": point["x"], "yanchor": point["y"]}
    return [{"type": "circle", **ring, **anchor, "line": _MARK}]


def token_lane(library: Library, chosen: Selection) -> go.Figure:
    """Draw the chosen statistic at every token of a display text, heads of the chosen layer."""
    measure, held = _by_token(library, chosen)
    return views.token_lane(held, measure.variable, sequence=chosen.sequence, layer=chosen.layer)


def tokens_of(library: Library, chosen: Selection) -> tuple[list[str], np.ndarray]:
    """Return the tokens of a display text and the chosen statistic at each, heads averaged."""
    measure, held = _by_token(library, chosen)
    if chosen.sequence >= held.sizes[axes.SHOWN]:
        raise NothingToShowError(f"There is no text {chosen.sequence} on “{chosen.probe}”.")
    length = int(held[axes.LENGTH].isel({axes.SEQUENCE: chosen.sequence}).item())
    one = held.isel({axes.SHOWN: chosen.sequence})
    values = one[measure.variable + BY_QUERY].sel({axes.LAYER: chosen.layer}).mean(axes.HEAD)
    tokens = [str(token) for token in one["token"].values[:length]]
    return tokens, values.values[:length].astype(float)


def _by_token(library: Library, chosen: Selection) -> tuple[Measure, xr.Dataset]:
    measure = library.menu.measure(chosen.statistic)
    held = library.display(chosen.run, chosen.probe)
    if measure.variable + BY_QUERY not in held:
        raise NothingToShowError(
            f"{measure.long_name} is not kept for single tokens; choose a statistic of attention "
            f"rows, such as entropy."
        )
    return measure, held


def at_span(held: xr.Dataset, measure: Measure, span: int) -> xr.Dataset:
    """Keep the queries of one span, or of all."""
    if not measure.spans or span == EVERY_SPAN:
        return held
    if span not in held[axes.SPAN]:
        raise NothingToShowError(f"No query of this text sees {axes.span_label(span)} keys.")
    return held.sel({axes.SPAN: [span]})


def traces_of(figure: go.Figure) -> tuple[Any, ...]:
    """Return the traces of a figure, to be changed."""
    return cast("tuple[Any, ...]", figure.data)


def _lead_to_heads(figure: go.Figure, library: Library, probe: str) -> None:
    """Let every point say which run and layer it stands for."""
    measured = [run for run in library.menu.runs if probe in run.probes]
    for trace in traces_of(figure):
        runs = [run for run in measured if run.model == trace.legendgroup]
        if not runs or trace.mode != "lines+markers":
            continue
        trace.customdata = [
            {"path": "/heads", "run": runs[0].name, "layer": layer}
            for layer in range(runs[0].layers)
        ]
        name = trace.name
        trace.hovertemplate = f"layer %{{customdata.layer}}: %{{text}}<extra>{name}</extra>"


def of_run(library: Library, chosen: Selection) -> tuple[Measure, xr.Dataset]:
    """Return the chosen statistic and the run that holds it, or say why heads cannot be shown."""
    measure = library.menu.measure(chosen.statistic)
    held = library.by_query_head(chosen.run, chosen.probe)
    if not measure.per_head:
        raise NothingToShowError(
            f"{measure.long_name} is one number per {measure.at}, so heads do not differ in it; "
            f"choose another statistic."
        )
    if measure.name not in held:
        raise NothingToShowError(f"{chosen.run} does not hold {measure.long_name.lower()}.")
    return measure, held
