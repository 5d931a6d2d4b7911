"""One pair of query and key: the form that names it, and its arithmetic step by step."""

from collections.abc import Iterator, Mapping
from typing import Any

from dash import dcc, html

from dva_lens.views.characters import LINE_BREAK, visible

from ...components.numbers import number
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


def arithmetic(found: Mapping[str, Any]) -> list[Any]:
    """Return the steps of a pair as a table, after a sentence that names both tokens."""
    query, key = (
        [html.Span(_shown(found[f"{name}_token"]), className="token-name"), f" (token {at})"]
        for name, at in (("query", found["query"]), ("key", found["key"]))
    )
    place = f"Layer {found['layer']}, head {found['head']}: "
    rows = [
        html.Tr([html.Th(name, scope="row"), html.Td(value, className="number"), html.Td(said)])
        for name, value, said in _steps(found)
    ]
    table = html.Table(html.Tbody(rows), className="numbers compact live-pair")
    return [html.P([place, *query, " looks at ", *key, "."]), table]


def _steps(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield "q·k", number(found["dot"]), ""
    yield "scale", number(found["scale"]), "the product is multiplied by it"
    if found["softcap"] is not None:
        yield "bound", number(found["softcap"]), "the product is softly kept below it"
    if found["bias"]:
        yield "bias", number(found["bias"]), "added"
    yield "logit", number(found["logit"]), ""
    visible_keys = f"{found['visible']:,} visible keys"
    uniform = number(1 / found["visible"])
    yield "weight", number(found["weight"]), f"uniform over {visible_keys}: {uniform}"
    yield "rank", f"{found['rank']:,}", "1 is the key with the largest weight"
    kind = "the same for every query" if found["static"] else "of this query alone"
    yield "size of the value", number(found["value_norm"]), kind
    if found["written_norm"] is None:
        yield "what it writes", "–", "the output projection of this model was not found"
        return
    of = f"of {number(found['output_norm'])} that the head writes here"
    yield "size of what it writes", number(found["written_norm"]), of
    if found["share"] is not None:
        yield "its share", number(found["share"]), "signed; the shares of all keys total 1"


def _shown(token: str) -> str:
    return visible(token).replace(LINE_BREAK, "⏎").strip() or "space"


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
