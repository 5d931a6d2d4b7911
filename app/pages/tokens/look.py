"""Where every token of the text looks in the chosen head, drawn by `assets/tokens.js`."""

from typing import Any

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.edges import POSITION, PinnedKey, pinned_keys
from dva_lens.views.figure import Row

from ...components.attributes import attributes
from ...components.edges import held_edges
from ...components.elements import html
from ...components.links import numbers_link
from ...components.numbers import number
from ...components.words import token_name
from ...library import Library, NothingToShowError
from ...state import Selection
from .text import MOST_TOKENS


def look(library: Library, chosen: Selection) -> Any:
    """Return the pinned keys of the chosen head, what to do, and its edges for the browser.

    Where no edges were kept it says so, and the text is shaded as ever.
    """
    try:
        found = _found(library, chosen)
    except NothingToShowError as refusal:
        return html.P(str(refusal), className="caption", role="status")
    pinned = pinned_keys(found)
    queries, length = found.sizes[axes.QUERY], found.sizes[POSITION]
    cut = f" Edges were kept of the first {queries:,} of {length:,} tokens." * (queries < length)
    return html.Div(
        [
            html.P(_hint(chosen, cut), className="caption look-hint"),
            html.Div([*map(_chip, pinned), _none(pinned)], className="chips"),
            html.P("", className="missing look-note", role="status"),
            held_edges(found, pinned, most=MOST_TOKENS),
        ]
    )


def rows(library: Library, chosen: Selection) -> list[Row]:
    """Return the edges of the chosen head as a table."""
    found = _found(library, chosen)
    tokens = [str(token) for token in found["token"].values]
    key, weight, share = (found[name].values for name in ("key", "weight", "share"))
    return [
        {
            "query": int(query),
            "query_token": tokens[query],
            "key": int(key[query, rank]),
            "key_token": tokens[key[query, rank]],
            "weight": float(weight[query, rank]),
            "share": float(share[query, rank]),
        }
        for query, rank in np.argwhere(key >= 0)
    ]


def _found(library: Library, chosen: Selection) -> xr.Dataset:
    return library.edges(chosen.run, chosen.text, chosen.layer, chosen.head, chosen.sequence)


def _hint(chosen: Selection, cut: str) -> list[Any]:
    place = f"Layer {chosen.layer}, head {chosen.head}. "
    return [
        place,
        html.Span("Point at a token", className="hint"),
        ": ",
        html.Span("where it looks", className="swatch out"),
        " and ",
        html.Span("who looks at it", className="swatch in"),
        ", darker for more (square root of the weight, pinned keys apart). A click locks it and "
        "lists the exact weights; arrow keys walk, Escape frees." + cut + " ",
        numbers_link("All edges as CSV", "look", label="the edges of this head"),
    ]


def _chip(key: PinnedKey) -> html.Button:
    token = token_name(key.token)
    return html.Button(
        [
            html.Span(token, className="chip-token"),
            html.Span(f"token {key.position}", className="chip-place"),
            html.Span(number(key.mass), className="chip-mass"),
            html.Span("", className="chip-from"),
        ],
        type="button",
        className="chip",
        title=f"Uniform attention would give it {number(key.uniform)}.",
        **attributes(
            data_lock=str(key.position),
            aria_label=(
                f"Pinned: token {key.position}, {token}, receives {number(key.mass)} of the "
                f"weight on average; lock it"
            ),
        ),
    )


def _none(pinned: tuple[PinnedKey, ...]) -> html.Span:
    text = "of the weight, mean over queries" if pinned else "No key stands out in this text."
    return html.Span(text, className="caption chips-note")
