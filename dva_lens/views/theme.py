"""What all figures share: colours that colour-blind readers can tell apart, fonts, one config."""

import html
import zlib
from collections.abc import Iterable
from typing import Any

CONFIG: dict[str, Any] = {
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
    "toImageButtonOptions": {"format": "svg"},
}
"""How a browser shows a figure: no button may offer to upload research data."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK = "#3d444d"
FAINT = "rgba(128, 136, 146, 0.25)"
REFERENCE = "#8a929c"
OUTLINE = "#858d97"
"""Around marks of any colour: distinct from a white and from a near-black ground."""
SEQUENTIAL = "Viridis"
PINNED = "YlOrBr"
PALETTE = (
    "#75808c",
    "#2497fd",
    "#f0690a",
    "#5d48f9",
    "#b121b5",
    "#84604f",
    "#cd1f13",
    "#c38253",
)
"""Apart from each other for readers with any colour vision, legible on white and on near-black."""

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "hexagon")

_FIXED = {
    "transformer": 0,
    "resformer-identity": 1,
    "dva": 2,
    "dva-separable": 3,
    "svformer": 4,
    "dva-static": 5,
    "resformer-learnable": 6,
    "gated": 7,
}
_SOURCES = {"own": PALETTE[0], "first": PALETTE[1], "donor": PALETTE[2], "table": PALETTE[3]}


def places(names: Iterable[str]) -> dict[str, int]:
    """Give every name its place in the palette: the same in every figure that shows these names.

    Known models have places of their own. Another name asks for a place of its own spelling and
    takes the next free one when that is taken.
    """
    wanted = list(dict.fromkeys(names))
    found = {name: _FIXED[name] for name in wanted if name in _FIXED}
    for name in sorted(set(wanted) - set(found)):
        first = zlib.crc32(name.encode()) % len(PALETTE)
        order = [(first + step) % len(PALETTE) for step in range(len(PALETTE))]
        taken = set(found.values())
        found[name] = next((place for place in order if place not in taken), first)
    return {name: found[name] for name in wanted}


def colour_of_source(source: str) -> str:
    """Return the colour of a source of values, the same in every figure."""
    return _SOURCES.get(source, PALETTE[4 + zlib.crc32(source.encode()) % 4])


def faded(colour: str, opacity: float) -> str:
    """Return a colour of the palette with an opacity, for bands behind lines."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"


def escape(text: object) -> str:
    """Return text that a figure shows letter by letter: no markup, control signs made visible."""
    shown = str(text).replace("\n", "⏎").replace("\t", "⇥").replace("\r", "␍")
    return html.escape(shown, quote=False)


def axis(title: str, **more: Any) -> dict[str, Any]:
    """Return an axis in the style of all figures."""
    return {
        "title": {"text": title, "standoff": 10, "font": {"size": 13}},
        "gridcolor": FAINT,
        "linecolor": FAINT,
        "zeroline": False,
        "ticks": "outside",
        "tickcolor": FAINT,
        "ticklen": 4,
        "automargin": True,
        "spikecolor": REFERENCE,
        "spikethickness": -1,
        "spikedash": "solid",
        **more,
    }


def colour_bar(label: str, **more: Any) -> dict[str, Any]:
    """Return the scale beside a map; `label` is escaped already."""
    title = {"text": label, "side": "right", "font": {"size": 13}}
    return {"title": title, "thickness": 12, "outlinewidth": 0, **more}


def layout(**more: Any) -> dict[str, Any]:
    """Return the layout of all figures: transparent, so that a page may be light or dark."""
    return {
        "template": "none",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 13, "color": INK},
        "margin": {"l": 56, "r": 20, "t": 84, "b": 52},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "xanchor": "left",
            "yanchor": "bottom",
            "title": {"text": ""},
        },
        "hoverlabel": {
            "font": {"family": FONT, "size": 12, "color": "#ffffff"},
            "bgcolor": "#2b3138",
            "bordercolor": REFERENCE,
            "namelength": -1,
        },
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": REFERENCE, "activecolor": INK},
        "uirevision": "kept",
        **more,
    }
