"""A figure that knows its caption and its numbers, and never offers to upload them."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, final

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio

from dva_lens.views import theme

Row = dict[str, Any]
Drawing = dict[str, Any]
_LINE = 105
_WITHOUT_LEGEND = ("heatmap",)


@final
class Figure(go.Figure):
    """A Plotly figure that is shown with `theme.CONFIG` wherever it is shown.

    Plotly gets a copy, because it takes entries out of the configuration it is given.
    """

    def show(self, *args: Any, **options: Any) -> Any:
        """Show the figure, as `plotly` does, without a button that uploads data."""
        return super().show(*args, **{"config": dict(theme.CONFIG), **options})

    def to_html(self, *args: Any, **options: Any) -> str:
        """Return the figure as HTML, as `plotly` does, without a button that uploads data."""
        return super().to_html(*args, **{"config": dict(theme.CONFIG), **options})

    def write_html(self, *args: Any, **options: Any) -> Any:
        """Write the figure as HTML, as `plotly` does, without a button that uploads data."""
        return super().write_html(*args, **{"config": dict(theme.CONFIG), **options})

    def _ipython_display_(self) -> None:
        pio.show(self, config=dict(theme.CONFIG))


def compose(
    traces: Iterable[Mapping[str, Any]],
    *,
    title: str,
    caption: str,
    rows: Sequence[Row],
    layout: Mapping[str, Any],
) -> Figure:
    """Make a figure of traces; its title, caption and numbers travel in `layout.meta`.

    A page that sets title and caption itself takes them from there (`bare`).
    """
    return Figure(drawing(traces, title=title, caption=caption, rows=rows, layout=layout))


def plain(drawn: Drawing) -> Drawing:
    """Return a drawing as a browser takes it, without the time that Plotly's checks cost.

    It is for figures that are drawn at every step of a reader, and whose tests let Plotly check
    them. Arrays become lists, and the template's name becomes the template.
    """
    layout = drawn["layout"]
    template = _template(layout["template"])
    traces = [_listed(trace) for trace in drawn["data"]]
    return {"data": traces, "layout": {**layout, "template": template}}


@cache
def _template(name: str) -> Drawing:
    return pio.templates[name].to_plotly_json()


def _listed(part: Any) -> Any:
    """Return a part of a trace with lists for arrays, where what is no number is None."""
    if isinstance(part, Mapping):
        return {name: _listed(value) for name, value in part.items()}
    if not isinstance(part, np.ndarray):
        return part
    if part.ndim > 1:
        return [_listed(row) for row in part]
    if part.dtype.kind == "f":
        return [value if math.isfinite(value) else None for value in part.tolist()]
    return part.tolist()


def drawing(
    traces: Iterable[Mapping[str, Any]],
    *,
    title: str,
    caption: str,
    rows: Sequence[Row],
    layout: Mapping[str, Any],
) -> Drawing:
    """Return what `compose` hands to Plotly, of which `plain` makes what a browser takes."""
    lines = textwrap.wrap(caption, _LINE)
    subtitle = "<br>".join(theme.escape(line) for line in lines)
    shape = theme.layout(**layout)
    shape["title"] = {
        "text": f"<b>{theme.escape(title)}</b>",
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": 1,
        "yref": "container",
        "yanchor": "top",
        "pad": {"t": 14},
        "font": {"size": 16},
        "subtitle": {"text": subtitle, "font": {"size": 12, "color": theme.REFERENCE}},
    }
    shape["margin"] = {**shape["margin"], "t": shape["margin"]["t"] + 16 * len(lines)}
    for name in [key for key in shape if key.startswith("yaxis")]:
        shape[name] = {**shape[name], "showspikes": False}
    shape["meta"] = {"title": title, "caption": caption, "rows": list(rows)}
    return {"data": list(traces), "layout": shape}


def bare(figure: go.Figure | Drawing) -> tuple[Drawing, str, str]:
    """Split a figure into its plain drawing, its title and its caption, for pages that set type.

    The drawing is a dictionary without title, room for it, or numbers that are not drawn.
    """
    held = figure.to_dict() if isinstance(figure, go.Figure) else figure
    shape = {**held["layout"]}
    meta = shape.pop("meta", None) or {}
    shape.pop("title", None)
    shape["margin"] = {**shape.get("margin", {}), "t": 44 if names_in_legend(held) else 16}
    return {**held, "layout": shape}, str(meta.get("title", "")), str(meta.get("caption", ""))


def names_in_legend(drawn: Mapping[str, Any]) -> int:
    """Return how many names the legend of a drawing lists; a single one is not listed unasked."""
    named = [
        trace
        for trace in drawn["data"]
        if trace.get("showlegend", True) and trace["type"] not in _WITHOUT_LEGEND
    ]
    asked = any(trace.get("showlegend") for trace in named)
    return len(named) if len(named) > 1 or asked else 0
