"""What a part of a page shows, as plain values that `offline.js` puts in place."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ..components.figure import caption_of, table_box
from ..components.markup import is_plain, markup
from ..drawing import drawing_function, filling_function, marking_function
from ..library import Library
from ..page import Panel, Words
from ..state import Selection

MARKS = ".marks"
"""Ends the name of the marks of a figure, which change more often than it does."""
Answer = Callable[[Selection], Any]


def answers_of(part: Panel | Words, library: Library) -> Iterator[tuple[str, Answer]]:
    """Yield the names of what a part shows and how each is found."""
    if isinstance(part, Words):
        yield part.name, partial(_words, part, library)
        return
    yield part.name, partial(_figure, part, library)
    if part.mark is not None:
        yield part.name + MARKS, partial(marking_function(part), library)


def _words(words: Words, library: Library, chosen: Selection) -> str:
    """Return words as markup.

    Raises
    ------
    TypeError
        They hold components that only a server can fill.
    """
    filled = filling_function(words)(library, chosen)
    if not is_plain(filled):
        raise TypeError(f"The words {words.name!r} are no plain HTML and cannot be exported.")
    return markup(filled)


def _figure(panel: Panel, library: Library, chosen: Selection) -> dict[str, Any]:
    shown = drawing_function(panel)(library, chosen)
    return {
        "drawing": shown.drawing,
        "title": shown.title,
        "caption": markup(caption_of(shown, panel.hint)),
        "missing": shown.missing,
        "table": _held(table_box(shown, panel.label)),
    }


def _held(table: Any) -> str:
    """Return the markup of a table, which may be held as markup already."""
    return getattr(table, "data-markup", None) or markup(table)
