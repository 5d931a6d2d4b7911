"""Figures for papers: what the page shows, drawn by matplotlib, the same bytes every time."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import matplotlib as mpl
import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import MultipleLocator, PercentFormatter

from dva_lens.writing import write_whole

_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "#8a929c",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e6ea",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "dva-lens",
    "pdf.fonttype": 42,
}
_OF_A_PIXEL = 0.6
"""Points of a mark on paper for each of its pixels on a screen."""
_MARKS = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "triangle-up": "^",
    "x": "X",
    "cross": "P",
    "star": "*",
    "hexagon": "h",
}
_WIDTH = 6.75
_LEFT, _RIGHT, _BOTTOM, _TOP, _SCALE = 0.085, 0.02, 0.13, 0.2, 0.1


def save(figure: go.Figure, path: Path) -> Path:
    """Draw a figure of `dva_lens.views` into a file; its ending says whether SVG or PDF."""
    layout = figure.layout.to_plotly_json()
    with mpl.rc_context(_STYLE):
        paper = Figure(figsize=(_WIDTH, _height(layout)))
        sheet = Sheet(paper, layout, _panels(paper, layout))
        traces: Any = figure.data
        for trace in traces:
            _draw(trace.to_plotly_json(), sheet)
        _finish(sheet, layout["meta"]["title"])
        undated = {"Date": None} if path.suffix == ".svg" else {"CreationDate": None}
        write_whole(path, lambda draft: paper.savefig(draft, metadata=undated))
    return path


@final
@dataclass(frozen=True)
class Sheet:
    """A figure being drawn: its panels, how high bars stand so far, and the map with a scale."""

    paper: Figure
    layout: Mapping[str, Any]
    panels: Mapping[str, Axes]
    heights: dict[str, np.ndarray] = field(default_factory=dict)
    scales: list[tuple[AxesImage, Mapping[str, Any]]] = field(default_factory=list)


def _height(layout: Mapping[str, Any]) -> float:
    rows = {tuple(axis.get("domain", (0, 1))) for axis in _axes_of(layout, "y").values()}
    return 3.0 if len(rows) == 1 else 1.4 + 1.5 * len(rows)


def _axes_of(layout: Mapping[str, Any], letter: str) -> dict[str, Mapping[str, Any]]:
    named = {key: axis for key, axis in layout.items() if key.startswith(f"{letter}axis")}
    return {key.replace("axis", ""): axis for key, axis in named.items()}


def _panels(paper: Figure, layout: Mapping[str, Any]) -> dict[str, Axes]:
    across = _axes_of(layout, "x")
    width, height = 1 - _LEFT - _RIGHT, 1 - _BOTTOM - _TOP
    if "coloraxis" in layout:
        width -= _SCALE
    panels = {}
    for name, up in _axes_of(layout, "y").items():
        side = across.get(up.get("anchor", "x"), across["x"])
        left, right = side.get("domain", (0, 1))
        bottom, top = up.get("domain", (0, 1))
        corner = (_LEFT + left * width, _BOTTOM + bottom * height)
        size = ((right - left) * width, (top - bottom) * height)
        panels[name] = paper.add_axes((*corner, *size))
        _label(panels[name], side, up)
    return panels


def _label(panel: Axes, across: Mapping[str, Any], up: Mapping[str, Any]) -> None:
    panel.set_xlabel(_words(across.get("title", {}).get("text", "")))
    panel.set_ylabel(_words(up.get("title", {}).get("text", "")))
    if across.get("type") == "log":
        panel.set_xscale("log", base=2)
    if across.get("tickvals") is not None and across.get("ticktext") is not None:
        turned = 90 if across.get("tickangle") else 0
        labels = [_words(text) for text in across["ticktext"]]
        panel.set_xticks(list(across["tickvals"]), labels, rotation=turned)
        panel.minorticks_off()
    elif across.get("dtick") == 1:
        panel.xaxis.set_major_locator(MultipleLocator(1))
    if up.get("dtick") == 1:
        panel.yaxis.set_major_locator(MultipleLocator(1))
    if str(up.get("tickformat", "")).endswith("%"):
        panel.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _place(panel, across, up)


def _place(panel: Axes, across: Mapping[str, Any], up: Mapping[str, Any]) -> None:
    """Say less where axes are places and no numbers, and keep places square."""
    for axis, ruler in ((across, panel.xaxis), (up, panel.yaxis)):
        if axis.get("showticklabels") is False:
            ruler.set_ticks([])
    if up.get("ticktext") is not None:
        panel.set_yticks(list(up["tickvals"]), [_words(text) for text in up["ticktext"]])
    if up.get("scaleanchor"):
        panel.set_box_aspect(abs(np.diff(up["range"])[0] / np.diff(across["range"])[0]))


def _draw(trace: Mapping[str, Any], sheet: Sheet) -> None:
    if trace["type"] == "heatmap":
        _map(trace, sheet)
    elif trace["type"] == "image":
        _picture(trace, sheet.panels[trace.get("yaxis", "y")])
    elif trace["type"] == "bar":
        _bar(trace, sheet)
    elif trace.get("fill") == "toself":
        panel = sheet.panels[trace.get("yaxis", "y")]
        inside = str(trace["fillcolor"]).removeprefix("rgba(").removesuffix(")").split(",")
        *colour, opacity = (float(part) for part in inside)
        panel.fill(
            trace["x"], trace["y"], color=[part / 255 for part in colour], alpha=opacity, lw=0
        )
    elif "coloraxis" in trace.get("marker", {}):
        _dots(trace, sheet)
    else:
        _line(trace, sheet.panels[trace.get("yaxis", "y")])


def _line(trace: Mapping[str, Any], panel: Axes) -> None:
    mode, line, marker = trace["mode"], trace.get("line", {}), trace.get("marker", {})
    panel.errorbar(
        np.asarray(trace["x"], dtype=float),
        np.asarray(trace["y"], dtype=float),
        xerr=_whiskers(trace.get("error_x")),
        yerr=_whiskers(trace.get("error_y")),
        color=line.get("color") or marker.get("color"),
        linestyle=_dash(line) if "lines" in mode else "none",
        linewidth=1 if "dash" in line else 0.6 * line.get("width", 2),
        elinewidth=0.5,
        marker=_MARKS[marker.get("symbol", "circle")] if "markers" in mode else None,
        markersize=3.5,
        alpha=trace.get("opacity", 1),
        label=_label_of(trace),
    )


def _dots(trace: Mapping[str, Any], sheet: Sheet) -> None:
    """Draw marks that have a colour of a scale, and a size, each."""
    marker = trace["marker"]
    sheet.panels[trace.get("yaxis", "y")].scatter(
        np.asarray(trace["x"], dtype=float),
        np.asarray(trace["y"], dtype=float),
        s=(_OF_A_PIXEL * np.asarray(marker["size"], dtype=float)) ** 2,
        c=np.asarray(marker["color"], dtype=float),
        cmap=_scale(sheet.layout[marker["coloraxis"]]),
        alpha=0.8,
        linewidths=0.3,
        edgecolors=marker["line"]["color"],
    )


def _scale(colours: Mapping[str, Any]) -> LinearSegmentedColormap:
    return LinearSegmentedColormap.from_list("scale", [tuple(one) for one in _stops(colours)])


def _bar(trace: Mapping[str, Any], sheet: Sheet) -> None:
    name = trace.get("yaxis", "y")
    height = np.asarray(trace["y"], dtype=float)
    below = sheet.heights.get(name, np.zeros_like(height))
    sheet.panels[name].bar(
        np.asarray(trace["x"], dtype=float),
        height,
        0.75,
        bottom=below,
        color=trace["marker"]["color"],
        yerr=_whiskers(trace.get("error_y")),
        error_kw={"elinewidth": 0.5},
        label=_label_of(trace),
    )
    sheet.heights[name] = below + np.nan_to_num(height)


def _map(trace: Mapping[str, Any], sheet: Sheet) -> None:
    panel = sheet.panels[trace.get("yaxis", "y")]
    colours = sheet.layout[trace["coloraxis"]]
    z, x, y = np.asarray(trace["z"], dtype=float), np.asarray(trace["x"]), np.asarray(trace["y"])
    named = y.dtype.kind in "OU"
    first, last = (0, len(y) - 1) if named else (y[0], y[-1])
    image = panel.imshow(
        z,
        aspect="auto",
        extent=(x[0] - 0.5, x[-1] + 0.5, last + 0.5, first - 0.5),
        cmap=_scale(colours),
        vmin=colours.get("cmin"),
        vmax=colours.get("cmax"),
        interpolation="nearest",
        alpha=trace.get("opacity", 1),
    )
    if named:
        panel.set_yticks(range(len(y)), list(y))
        panel.tick_params(labelbottom=False)
    panel.grid(visible=False)
    if colours.get("showscale", True):
        sheet.scales.append((image, colours["colorbar"]))


def _picture(trace: Mapping[str, Any], panel: Axes) -> None:
    """Draw pixels, whose first one has its middle at (x0, y0)."""
    z = np.asarray(trace["z"])
    left, top = trace["x0"] - trace["dx"] / 2, trace["y0"] - trace["dy"] / 2
    right, bottom = left + trace["dx"] * z.shape[1], top + trace["dy"] * z.shape[0]
    panel.imshow(z, aspect="auto", extent=(left, right, bottom, top))


def _stops(colours: Mapping[str, Any]) -> list[tuple[float, str]]:
    found = []
    for place, colour in colours["colorscale"]:
        if colour.startswith("rgb("):
            parts = [int(float(part)) for part in colour[4:-1].split(",")]
            colour = f"#{parts[0]:02x}{parts[1]:02x}{parts[2]:02x}"
        found.append((place, colour))
    return found


def _finish(sheet: Sheet, title: str) -> None:
    """Add title, legend, names of panels, marks of the layout, and the scale of a map."""
    paper, layout = sheet.paper, sheet.layout
    paper.text(_LEFT, 0.975, title, ha="left", va="top", weight="bold", size=10)
    first = next(iter(sheet.panels.values()))
    handles, labels = first.get_legend_handles_labels()
    if len(labels) > 1:
        corner = (_LEFT, 0.93)
        paper.legend(handles, labels, loc="upper left", bbox_to_anchor=corner, ncols=6, fontsize=7)
    for shape in layout.get("shapes", ()):
        _mark(shape, first)
    names = [note for note in layout.get("annotations", ()) if note["text"].startswith("<b>")]
    for panel, note in zip(sheet.panels.values(), names, strict=False):
        panel.set_title(_words(note["text"]), size=7, loc="left", pad=3)
    for name, axis in _axes_of(layout, "y").items():
        if axis.get("rangemode") == "tozero":
            sheet.panels[name].set_ylim(bottom=min(0.0, sheet.panels[name].get_ylim()[0]))
    if sheet.scales:
        image, bar = sheet.scales[0]
        whole = paper.add_axes((1 - _SCALE + 0.01, _BOTTOM, 0.014, 1 - _BOTTOM - _TOP))
        scale, label = paper.colorbar(image, cax=whole), _words(bar["title"]["text"])
        if "ticktext" in bar:
            scale.set_ticks(list(bar["tickvals"]), labels=list(bar["ticktext"]))
            whole.set_title(label, size=7)
        else:
            scale.set_label(label)


def _mark(shape: Mapping[str, Any], panel: Axes) -> None:
    """Draw the outline of a place, or a line across the whole panel."""
    across, up = shape["x1"] - shape["x0"], shape["y1"] - shape["y0"]
    if across and up:
        outline = {"fill": False, "edgecolor": shape["line"]["color"], "linewidth": 1.5}
        panel.add_patch(Rectangle((shape["x0"], shape["y0"]), across, up, **outline))
        return
    style = {"color": "#8a929c", "lw": 0.8, "ls": _dash(shape["line"]), "zorder": 0}
    if across:
        panel.axhline(shape["y0"], **style)
    else:
        panel.axvline(shape["x0"], **style)


def _whiskers(bars: Mapping[str, Any] | None) -> np.ndarray | None:
    if not bars or not bars.get("visible", True):
        return None
    return np.maximum(np.stack([bars["arrayminus"], bars["array"]]).astype(float), 0.0)


def _dash(line: Mapping[str, Any]) -> str:
    return ":" if line.get("dash") == "dot" else "-"


def _label_of(trace: Mapping[str, Any]) -> str | None:
    return _words(trace["name"]) if trace.get("showlegend", True) else None


def _words(text: str) -> str:
    """Return the plain words of a label; dollars are no formulas here."""
    plain = html.unescape(re.sub(r"</?[bi]>", "", text).replace("<br>", "\n")).strip()
    return plain.replace("$", r"\$").replace("⏎", "\\n")
