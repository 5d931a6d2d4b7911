"""Where single tokens look most in the chosen head: each edge is a link into the text."""

from typing import Any

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.edges import pinned_keys
from dva_lens.views.characters import LINE_BREAK, visible

from ..components.elements import html
from ..components.links import choice_link
from ..components.numbers import number
from ..library import Library, NothingToShowError
from ..state import Selection

LISTED = 5


def edges_of(library: Library, chosen: Selection) -> xr.Dataset | None:
    """Return the edges that were kept of the chosen head in the chosen sequence, or None."""
    try:
        return library.edges(chosen.run, chosen.text, chosen.layer, chosen.head, chosen.sequence)
    except NothingToShowError:
        return None


def strongest_edges(found: xr.Dataset) -> list[tuple[int, int, float]]:
    """Return query, key and weight of the largest edges.

    Pinned keys, keys that a query has in itself, and queries that see few keys, which cannot but
    give them much, are left out.
    """
    left_out = [key.position for key in pinned_keys(found)]
    key, weight = found["key"].values, found["weight"].values
    query = np.arange(len(key))[:, None]
    held = (key >= 0) & (key != query) & ~np.isin(key, left_out)
    held &= (found["visible"].values >= axes.MANY_KEYS)[:, None]
    places = np.flatnonzero(held)
    weights = weight.ravel()[places]
    if len(weights) > LISTED:  # a text has hundreds of thousands, and few are sorted
        few = np.flatnonzero(weights >= np.partition(weights, -LISTED)[-LISTED])
        places, weights = places[few], weights[few]
    largest = places[np.argsort(-weights, kind="stable")[:LISTED]]
    found_at = zip(*np.unravel_index(largest, held.shape), strict=True)
    return [(int(at), int(key[at, rank]), float(weight[at, rank])) for at, rank in found_at]


def strongest(found: xr.Dataset | None) -> Any:
    """Return the list of the largest edges, or one sentence why there is none."""
    if found is None:
        return html.P("No edges were kept of this text.", className="caption")
    listed = strongest_edges(found)
    if not listed:
        return html.P("No edge stands out beside the pinned keys.", className="caption")
    tokens = found["token"].values
    return html.Ul([_edge(tokens, *edge) for edge in listed], className="edges")


def _edge(tokens: np.ndarray, query: int, key: int, weight: float) -> html.Li:
    ends = (short(str(tokens[query])), short(str(tokens[key])))
    link = choice_link(
        [_token(ends[0]), " → ", _token(ends[1])],
        path="/tokens",
        label=f"{ends[0]} → {ends[1]}: token {query} looks at token {key}, see it in the text",
        token=query,
    )
    return html.Li([link, html.Span(number(weight), className="number")])


def _token(said: str) -> html.Span:
    return html.Span(said, className="token-name")


def short(token: str, most: int = 14) -> str:
    """Return a token on one line, cut where it is long."""
    said = visible(token).replace(LINE_BREAK, "⏎").strip() or "space"
    return said if len(said) <= most else f"{said[: most - 1]}…"
