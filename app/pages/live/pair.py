"""One pair of query and key: the form that names it."""

from collections.abc import Mapping
from typing import Any

from dash import dcc

from ...components.elements import html
from ...library import Library, NothingToShowError
from ...state import NO_TOKEN, Selection
from . import names

FIELDS = ("layer", "head", "query", "key")
WORDS = {"query": "query (position that looks)", "key": "key (position looked at)"}
_LONGEST = 9
"""Digits of a position."""


def pair_form(library: Library, chosen: Selection) -> Any:
    """Return the fields that name a pair: the chosen head, and the token that is locked.

    Raises
    ------
    NothingToShowError
        There is no model to look into.
    """
    if library.catalogue.why_no_live:
        raise NothingToShowError("There is no model to look into.")
    query = chosen.token if chosen.token != NO_TOKEN else 1
    given = {"layer": chosen.layer, "head": chosen.head, "query": query, "key": 0}
    return html.Div(
        [
            html.P(
                "What a query of the text above makes of one key: from q·k to the weight, and "
                "what the key adds to the output of the head. Of several texts it is the first.",
                className="caption",
            ),
            html.Div([_field(name, given[name]) for name in FIELDS], className="live-fields"),
        ]
    )


def pair_button(library: Library, chosen: Selection) -> Any:  # noqa: ARG001  as all words
    """Return the button that looks, where there is a model to look into."""
    if library.catalogue.why_no_live:
        return []
    return html.Button("Look at this pair", id=names.LOOK, type="button", className="action")


def place_of(given: Mapping[str, Any]) -> dict[str, int]:
    """Return the pair that was named.

    Raises
    ------
    ValueError
        A field is no whole number; the message names it.
    """
    found = {}
    for name in FIELDS:
        text = str(given.get(name, "")).strip()
        if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST):
            raise ValueError(f"The {name} must be a whole number, 0 or more, got {text[:60]!r}.")
        found[name] = int(text)
    return found


def _field(name: str, value: int) -> html.Label:
    return html.Label(
        [
            html.Span(WORDS.get(name, name)),
            dcc.Input(
                id={names.PLACE: name},
                type="text",
                value=str(value),
                debounce=False,
                className="live-field",
            ),
        ]
    )
