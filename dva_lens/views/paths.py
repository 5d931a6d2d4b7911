"""Through which heads a token draws from others, layer by layer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from dva_lens.results.paths import CarriedBy, Link, Paths, paths
from dva_lens.results.schema import EDGE_SHARE, TOKEN
from dva_lens.views import theme, words
from dva_lens.views.conditions import conditions
from dva_lens.views.figure import Figure, Row, compose
from dva_lens.views.view import View

STREAM = "residual stream"
NAMED = 32
"""Positions under which there is room for their tokens."""
STRENGTHS = (0.5, 0.3, 0.15, 0.0)
"""Lines are drawn in as many strengths, from these on."""
MEANING = {
    "share": "of what the head writes there (signed projection share)",
    "weight": "of the attention weight",
}


def contribution_graph(
    data: xr.Dataset,
    *,
    token: int | None = None,
    sequence: int = 0,
    least: float = 0.3,
    by: CarriedBy = "share",
) -> Figure:
    """Draw through which heads one token draws from others, from the last layer down.

    A line leads from a query down to a key where the key makes up at least `least` of what one
    head writes at the query. What a token holds is carried up by the residual stream, drawn as a
    dotted line. The data must have been measured with `keep="query"`.

    Parameters
    ----------
    data : xarray.Dataset
        A measurement that keeps edges.
    token : int, optional
        The position to begin at; the last one whose edges are kept if left out.
    sequence : int, optional
        Which text.
    least : float, optional
        How much of what a head writes a line has to carry.
    by : {"share", "weight"}, optional
        Whether that is the signed projection share or the attention weight.

    Raises
    ------
    ArchiveError
        The measurement keeps no edges.
    ValueError
        There is no such token or sequence, or `least` is not above 0.

    Examples
    --------
    >>> from dva_lens import load, measure
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> data = measure(model, "To be, or not to be, that is the question.", keep="query")
    >>> figure = contribution_graph(data, least=0.1)
    >>> figure.layout.yaxis.title.text
    'Layer'
    """
    (condition,) = conditions(data, EDGE_SHARE, TOKEN)
    found = paths(condition.runs[0], token, sequence=sequence, least=least, by=by)
    name = f"“{found.tokens[found.token]}” (token {found.token})"
    dropped = f" Further {words.number(found.left_out, 'line')}, of the weakest, left out."
    return compose(
        [*_stream(found), *_lines(found), _marks(found), *_places(found)],
        title="Where a token draws from, layer by layer",
        caption=(
            f"{condition.label}, text {sequence}, {words.number(len(found.tokens), 'token')}: "
            f"{name}, from the last layer down. Each line is a head that takes at least {least:g} "
            f"{MEANING[by]} from one key; dotted: the residual stream. "
            f"{words.number(len(found.links), 'line')}; values are exact, without an interval."
            f"{dropped if found.left_out else ''}"
        ),
        rows=_rows(found),
        layout=_layout(found),
    )


def _across(found: Paths) -> dict[int, int]:
    """Return where each position is drawn: side by side, whatever lies between them."""
    return {position: at for at, position in enumerate(found.reached)}


def _lines(found: Paths) -> list[dict[str, Any]]:
    across, traces = _across(found), []
    left: Sequence[Link] = found.links
    for rank, strength in enumerate(STRENGTHS):
        own = [link for link in left if link.carried >= strength]
        left = [link for link in left if link.carried < strength]
        if not own:
            continue
        ends = [[across[link.query], across[link.key], np.nan] for link in own]
        heights = [[link.layer + 1, link.layer, np.nan] for link in own]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": np.concatenate(ends),
                "y": np.concatenate(heights),
                "line": {"color": theme.PALETTE[1], "width": 3.5 - 0.75 * rank},
                "opacity": 1.0 - 0.2 * rank,
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
    return traces


def _marks(found: Paths) -> dict[str, Any]:
    """Return a mark in the middle of every line, which says what it is."""
    across = _across(found)
    said = [
        f"layer {link.layer}, head {link.head}: “{theme.escape(found.tokens[link.query])}” "
        f"({link.query}) draws {link.carried:.3g} from “{theme.escape(found.tokens[link.key])}” "
        f"({link.key})"
        for link in found.links
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [(across[link.query] + across[link.key]) / 2 for link in found.links],
        "y": [link.layer + 0.5 for link in found.links],
        "marker": {"size": 7, "color": theme.PALETTE[1]},
        "customdata": [
            {"layer": link.layer, "head": link.head, "token": link.query} for link in found.links
        ],
        "text": said,
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
    }


def _stream(found: Paths) -> list[dict[str, Any]]:
    """Return the stream of every position, up to where something on a path reads it."""
    tops = dict.fromkeys(found.reached, 0)
    tops[found.token] = found.layers
    for link in found.links:
        tops[link.key] = max(tops[link.key], link.layer)
    across = _across(found)
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": np.concatenate([[across[at], across[at], np.nan] for at in tops]),
            "y": np.concatenate([[0, top, np.nan] for top in tops.values()]),
            "name": STREAM,
            "line": {"color": theme.REFERENCE, "width": 1.5, "dash": "dot"},
            "hoverinfo": "skip",
            "showlegend": False,
        }
    ]


def _places(found: Paths) -> list[dict[str, Any]]:
    """Return the tokens on the paths, below; a click on one begins there."""
    across = _across(found)
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "x": list(across.values()),
            "y": [found.layers if at == found.token else 0 for at in across],
            "marker": {
                "size": [11 if at == found.token else 8 for at in across],
                "color": theme.PALETTE[2],
            },
            "customdata": [{"token": at} for at in across],
            "text": [f"“{theme.escape(found.tokens[at])}” (token {at})" for at in across],
            "hovertemplate": "%{text}<extra></extra>",
            "showlegend": False,
        }
    ]


def _rows(found: Paths) -> list[Row]:
    """Return one row per line, behind the stream of the token itself."""
    ends = [(None, None, found.token, found.token, None), *found.links]
    return [
        {
            "layer": layer,
            "head": head,
            "query": query,
            "query_token": found.tokens[query],
            "key": key,
            "key_token": found.tokens[key],
            "carried": words.plain(carried),
        }
        for layer, head, query, key, carried in ends
    ]


def _layout(found: Paths) -> dict[str, Any]:
    across = _across(found)
    names = [theme.escape(found.tokens[at]).strip() or "space" for at in across]
    ticks: dict[str, Any] = {"showticklabels": False}
    if len(across) <= NAMED:
        ticks = {"tickvals": list(across.values()), "ticktext": names, "tickangle": 90}
    layers = list(range(found.layers + 1))
    labels = ["embeddings", *(f"after {layer}" for layer in layers[:-1])]
    few = layers if len(layers) <= 13 else layers[:: -(-len(layers) // 12)]
    return {
        "xaxis": theme.axis("", range=[-0.5, len(across) - 0.5], showgrid=False, **ticks),
        "yaxis": theme.axis(
            "Layer",
            tickvals=few,
            ticktext=[labels[at] for at in few],
            range=[-0.3, found.layers + 0.3],
        ),
        "hovermode": "closest",
    }


VIEW = View(
    contribution_graph,
    title="Where a token draws from, layer by layer",
    question="Through which heads does a token draw from others?",
    needs=(EDGE_SHARE,),
    of="queries",
    against=STREAM,
)
