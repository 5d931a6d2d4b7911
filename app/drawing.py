"""From a selection to what is shown: a figure or words, or one sentence why there is none.

Only two things are said instead of shown: that there is nothing to show, and that the archive
cannot be read or compared. Every other exception is a defect of the program and is raised.
"""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, final

from dva_lens.results.schema import ArchiveError
from dva_lens.views import as_table, bare
from dva_lens.views.figure import Row

from .components.elements import html
from .components.markup import is_plain, markup
from .library import Library, NothingToShowError
from .page import Panel, Words
from .state import Remembered, Selection

REFUSALS = (NothingToShowError, ArchiveError)
_LETTER = 7.4
_BESIDE = 110
_FONT = {"size": 13}


@final
@dataclass(frozen=True)
class Shown:
    """A panel as a page shows it, without marks; `missing` says why there is no drawing."""

    drawing: dict[str, Any]
    title: str
    caption: str
    rows: Sequence[Row]
    missing: str = ""


def figure_of(panel: Panel, library: Library) -> Remembered[Shown]:
    """Return the figure of a panel as a remembered function of the selection."""
    return library.remembered(drawing_function(panel))


def words_of(words: Words, library: Library) -> Remembered[Any]:
    """Return what fills words of a page as a remembered function of the selection."""
    return library.remembered(filling_function(words))


def markup_of(words: Words, library: Library) -> Remembered[str | None]:
    """Return the markup of words as a remembered function, None where they are components."""
    return library.remembered(markup_function(words))


def shapes_of(panel: Panel, library: Library, chosen: Selection) -> list[dict[str, Any]]:
    """Return the shapes of a panel's drawing: its own, and the marks of the chosen head."""
    own = figure_of(panel, library)(chosen).drawing["layout"].get("shapes", ())
    return [*own, *library.remembered(marking_function(panel))(chosen)]


def drawing_of(panel: Panel, library: Library, chosen: Selection) -> dict[str, Any]:
    """Return a panel's drawing with its marks."""
    drawing = figure_of(panel, library)(chosen).drawing
    if panel.mark is None:
        return drawing
    shapes = shapes_of(panel, library, chosen)
    return {**drawing, "layout": {**drawing["layout"], "shapes": shapes}}


@cache
def drawing_function(panel: Panel) -> Callable[[Library, Selection], Shown]:
    """Return what draws a panel, always the same function for the same panel."""

    def draw(library: Library, chosen: Selection) -> Shown:
        try:
            figure = panel.draw(library, chosen)
        except REFUSALS as refusal:
            return Shown({"data": [], "layout": {}}, panel.label, "", (), missing=str(refusal))
        drawing, title, caption = bare(figure)
        return Shown(wrap_titles(drawing, panel.height), title, caption, as_table(figure))

    return draw


@cache
def filling_function(words: Words) -> Callable[[Library, Selection], Any]:
    """Return what fills words, always the same function for the same words."""

    def fill(library: Library, chosen: Selection) -> Any:
        try:
            return words.fill(library, chosen)
        except REFUSALS as refusal:
            return html.P(str(refusal), className="missing", role="status")

    return fill


@cache
def markup_function(words: Words) -> Callable[[Library, Selection], str | None]:
    """Return what writes the markup of words, always the same function for the same words."""

    def write(library: Library, chosen: Selection) -> str | None:
        filled = words_of(words, library)(chosen)
        return markup(filled) if is_plain(filled) else None

    return write


@cache
def marking_function(panel: Panel) -> Callable[[Library, Selection], list[dict[str, Any]]]:
    """Return what marks the chosen head in a panel, always the same function for it."""

    def mark(library: Library, chosen: Selection) -> list[dict[str, Any]]:
        if panel.mark is None or figure_of(panel, library)(chosen).missing:
            return []
        return panel.mark(library, chosen)

    return mark


def wrap_titles(drawing: dict[str, Any], height: int) -> dict[str, Any]:
    """Wrap upright titles of axes to what a figure of this height, in pixels, has room for."""
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
