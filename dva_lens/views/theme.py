"""What all figures share: colours that colour-blind readers can tell apart, fonts, one config."""

import html
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any, final

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
DASHES = ("solid", "dash", "dashdot", "longdash")
"""Of lines whose colours are taken by others; dots are of references."""

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


@final
@dataclass(frozen=True)
class Appearance:
    """How one name appears, in every figure that shows it."""

    colour: str
    symbol: str
    dash: str


def looks(names: Iterable[str]) -> dict[str, Appearance]:
    """Give every name its look: the same in every figure that shows these names.

    Known models have colours of their own. Another name asks for a colour of its own spelling and
    takes the next free one when that is taken; a training, such as `dva-0`, asks for the colour of
    its model. Where no colour is free, it shares the one it asks for, with another symbol and
    another dash.
    """
    wanted = list(dict.fromkeys(names))
    found = {name: _FIXED[name] for name in wanted if name in _FIXED}
    taken = set(found.values())
    for name in sorted(set(wanted) - set(found)):
        found[name] = next(place for place in _asked(name) if place not in taken)
        taken.add(found[name])
    return {name: _look(found[name]) for name in wanted}


def _asked(name: str) -> Iterable[int]:
    """Go through the places that a name asks for, one round over the colours after another."""
    model, _, seed = name.rpartition("-")
    own = model if model and seed.isdecimal() else name
    first, colours = _FIXED.get(own, zlib.crc32(own.encode())), len(PALETTE)
    return (step // colours * colours + (first + step) % colours for step in count())


def _look(place: int) -> Appearance:
    again, colour = divmod(place, len(PALETTE))
    symbol = (colour + 3 * again) % len(SYMBOLS)
    return Appearance(PALETTE[colour], SYMBOLS[symbol], DASHES[again % len(DASHES)])


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
