"""A part of a pattern as an image of cells, with what each says in words."""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from dash import dcc

from dva_lens.views import CONFIG, theme
from dva_lens.views.words import number as counted

from ...components.attributes import attributes
from ...components.elements import html
from ...components.numbers import number
from ...components.words import token_name
from ...live.tasks import CELLS_ALONG

_CONFIG: Any = {**CONFIG, "displayModeBar": False}
HEIGHT = 480
LISTED = 8
TICKS = 6
"""At most so many positions are named along an axis."""
NAMES = {"mean": "mean", "largest": "highest"}
"""What the cells are called here and in the document of a pattern."""
_MARKS = (0.0, 0.0001, 0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)


def pattern_image(found: Mapping[str, Any], cells: str, note: str) -> html.Div:
    """Return cells as an image that keys and pointers can walk through, and the largest in words.

    `found` is the document of `dva-lens pattern`, `cells` what a cell says of its weights.
    """
    mean, highest = (_array(found[NAMES[name]]) for name in NAMES)
    shown = mean if cells == "mean" else highest
    figure = _figure(found, shown, cells)
    aria = (
        f"Pattern of layer {found['layer']}, head {found['head']}. Arrow keys choose a cell, "
        f"with Shift eight at a time; Enter zooms in, Backspace zooms out."
    )
    graph = dcc.Graph(
        figure=figure,
        config=_CONFIG,
        style={"height": f"{HEIGHT}px"},
    )
    about = attributes(aria_label=aria, data_pattern=_payload(found, mean, highest))
    return html.Div(
        [
            html.P(_caption(found, cells, note), className="caption"),
            html.Div(graph, className="pattern-map", tabIndex="0", role="group", **about),
            html.P("", className="pattern-said"),
            html.P("", className="unseen pattern-spoken", role="status"),
            html.Div([_button(*each) for each in _BUTTONS], className="pattern-buttons"),
            _largest(found, shown, mean, highest),
        ]
    )


def note_of(tokens: Sequence[str], known: Sequence[str]) -> str:
    """Return in words where tokens that were read again differ from those of the archive."""
    pairs = zip(tokens, known, strict=False)
    first = next((at for at, (one, other) in enumerate(pairs) if one != other), None)
    if first is None and len(tokens) == len(known):
        return ""
    at = min(len(tokens), len(known)) if first is None else first
    return (
        f"Its text was read again, into {len(tokens):,} tokens where the archive has "
        f"{len(known):,}; they differ from token {at} on, so positions after it are other ones."
    )


_BUTTONS = (("Zoom in", "in"), ("Zoom out", "out"), ("Whole text", "whole"))


def _button(name: str, what: str) -> html.Button:
    return html.Button(
        name, type="button", className="action", disabled=True, **attributes(data_zoom=what)
    )


def _caption(found: Mapping[str, Any], cells: str, note: str) -> str:
    rows, columns = found["queries"], found["keys"]
    wide, high = columns[1] - columns[0], rows[1] - rows[0]
    size = "one query and one key" if wide == high == 1 else f"{high:,} queries by {wide:,} keys"
    what = "mean" if cells == "mean" else "largest"
    parts = (
        f"Layer {found['layer']}, head {found['head']}: queries {_span(rows, 0, -1)} down, keys "
        f"{_span(columns, 0, -1)} across, of {counted(len(found['tokens']), 'token')}. A cell is "
        f"{size}",
        "."
        if wide == high == 1
        else f", and shows the {what} weight of the pairs in it that see each other.",
        " Colours go by the square root; no colour: no query here sees these keys. ",
        note,
    )
    return "".join(parts)


def _figure(found: Mapping[str, Any], shown: np.ndarray, cells: str) -> dict[str, Any]:
    held = shown[np.isfinite(shown)]
    most = float(held.max()) if held.size else 1.0
    marks = _apart(most)
    title = f"{cells.capitalize()} weight (square-root scale)"
    scale = {
        "colorscale": theme.SEQUENTIAL,
        "cmin": 0.0,
        "cmax": math.sqrt(most) or 1.0,
        "colorbar": theme.colour_bar(
            title,
            orientation="h",
            thickness=10,
            y=-0.02,
            yanchor="top",
            title={"text": title, "side": "bottom", "font": {"size": 13}},
            tickvals=[math.sqrt(mark) for mark in marks],
            ticktext=[number(mark) for mark in marks],
        ),
    }
    trace = {
        "type": "heatmap",
        "x": found["keys"],
        "y": found["queries"],
        "z": _typed(np.sqrt(shown)),
        "coloraxis": "coloraxis",
        "hoverinfo": "none",
    }
    return {
        "data": [trace],
        "layout": theme.layout(
            coloraxis=scale,
            xaxis=_axis(found, "keys", "Key", "x", constrain="domain", side="top"),
            yaxis=_axis(
                found, "queries", "Query", "y", constrain="domain", scaleanchor="x",
                autorange=False, range=[found["queries"][-1], found["queries"][0]],
            ),
            dragmode=False,
            margin={"l": 70, "r": 20, "t": 60, "b": 70},
        ),
    }  # fmt: skip


def _apart(most: float) -> list[float]:
    """Return some weights up to the largest that stand apart on a scale of square roots."""
    found: list[float] = []
    for mark in _MARKS:
        before = math.sqrt(found[-1]) if found else -1.0
        room = min(math.sqrt(mark) - before, math.sqrt(most) - math.sqrt(mark))
        if room > 0.13 * math.sqrt(most):
            found.append(mark)
    return [*found, most]


def _axis(found: Mapping[str, Any], name: str, title: str, letter: str, **more: Any) -> Any:
    """Return an axis that names some positions, and their tokens where cells are single ones."""
    edges, tokens = found[name], found["tokens"]
    step = max(1, -(-(len(edges) - 1) // TICKS))
    starts = edges[:-1:step]
    single = edges[1] - edges[0] == 1
    names = [
        f"{at} {theme.escape(token_name(tokens[at])[:8])}" if single else f"{at:,}"
        for at in starts
    ]
    places = [(at + (0.5 if single else 0)) for at in starts]
    own = {"showgrid": False, "tickvals": places, "ticktext": names, "fixedrange": True}
    if letter == "x":
        own |= {"tickangle": -40 if single else 0, "range": [edges[0], edges[-1]]}
    return theme.axis(title, **own, **more)


def _largest(
    found: Mapping[str, Any], shown: np.ndarray, mean: np.ndarray, highest: np.ndarray
) -> html.Details:
    """Return the cells that hold most as a table, each of which can be chosen."""
    order = np.argsort(-np.nan_to_num(shown, nan=-1.0), axis=None, kind="stable")
    places = [np.unravel_index(at, shown.shape) for at in order[:LISTED]]
    rows = [
        html.Tr(
            [
                html.Th(_choose(found, int(row), int(column)), scope="row"),
                html.Td(number(float(mean[row, column])), className="number"),
                html.Td(number(float(highest[row, column])), className="number"),
                html.Td(f"{found['seen'][row][column]:,}", className="number"),
            ]
        )
        for row, column in places
        if np.isfinite(shown[row, column])
    ]
    names = (("Cell", ""), ("Mean", "number"), ("Largest", "number"), ("Pairs", "number"))
    head = html.Tr([html.Th(name, scope="col", className=kind) for name, kind in names])
    table = html.Table([html.Thead(head), html.Tbody(rows)], className="numbers compact")
    return html.Details(
        [html.Summary("The largest cells in words"), html.Div(table, className="scroll")],
        className="pattern-largest",
    )


def _choose(found: Mapping[str, Any], row: int, column: int) -> html.Button:
    words = f"query {_span(found['queries'], row)} at key {_span(found['keys'], column)}"
    cell = attributes(data_cell=f"{row},{column}")
    return html.Button(words, type="button", className="action", **cell)


def _payload(found: Mapping[str, Any], mean: np.ndarray, highest: np.ndarray) -> str:
    """Return what the browser needs to say what a cell holds."""
    tokens = found["tokens"]
    whole: dict[str, Any] = {
        "length": len(tokens),
        "side": CELLS_ALONG,
        "mean": _encoded(mean, "<f4"),
        "highest": _encoded(highest, "<f4"),
        "seen": _encoded(np.asarray(found["seen"]), "<i4"),
    }
    for name in ("queries", "keys"):
        edges = found[name]
        whole[name] = edges
        whole[f"{name}Named"] = [
            [token_name(tokens[start]), token_name(tokens[stop - 1])]
            for start, stop in pairwise(edges)
        ]
    return json.dumps(whole)


def _span(edges: Sequence[int], at: int, to: int | None = None) -> str:
    start, last = edges[at], edges[at + 1 if to is None else to] - 1
    return f"{start:,}" if start == last else f"{start:,}–{last:,}"


def _array(rows: Any) -> np.ndarray:
    return np.array([[math.nan if each is None else each for each in row] for row in rows])


def _encoded(array: np.ndarray, kind: str) -> str:
    return base64.b64encode(array.astype(kind).tobytes()).decode()


def _typed(array: np.ndarray) -> dict[str, str]:
    """Return an array as figures that are plain dictionaries hold it."""
    shape = ", ".join(map(str, array.shape))
    return {"dtype": "f4", "bdata": _encoded(array, "<f4"), "shape": shape}
