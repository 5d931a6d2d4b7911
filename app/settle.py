"""Fit a drawing into the place it is shown at: titles of axes wrap instead of being cut."""

import textwrap
from typing import Any

_LETTER = 7.4
_BESIDE = 110
_FONT = {"size": 13}


def settle(drawing: dict[str, Any], height: int) -> dict[str, Any]:
    """Wrap upright titles to what a figure of this height, in pixels, has room for."""
    room = max(12, int((height - _BESIDE) / _LETTER))
    layout = drawing.get("layout", {})
    for name, part in layout.items():
        if name.startswith("yaxis"):
            _wrap(part.get("title"), room)
        elif name.startswith("coloraxis"):
            _wrap(part.get("colorbar", {}).get("title"), room, **_FONT)
    for trace in drawing.get("data", ()):
        _wrap(trace.get("marker", {}).get("colorbar", {}).get("title"), room, **_FONT)
    return drawing


def _wrap(title: Any, room: int, **font: Any) -> None:
    if isinstance(title, dict) and isinstance(title.get("text"), str):
        title["text"] = "<br>".join(textwrap.wrap(title["text"], room, break_long_words=False))
        if font:
            title["font"] = {**title.get("font", {}), **font}
