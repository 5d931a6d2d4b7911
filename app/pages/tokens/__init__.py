"""Tokens: where single tokens of one text look, and what their queries read."""

from typing import Any

import plotly.graph_objects as go

from dva_lens import views

from ...components.attributes import attributes
from ...components.elements import html
from ...components.meaning import MEANING
from ...library import Library, NothingToShowError
from ...page import Card, Page, Panel, Words
from ...state import NO_TOKEN, Selection
from . import pattern
from .look import look, rows
from .text import by_token, shaded


def _lane(library: Library, chosen: Selection) -> go.Figure:
    """Draw the chosen statistic at every token of a display text, heads of the chosen layer."""
    measure, held = by_token(library, chosen)
    return views.token_lane(held, measure.variable, sequence=chosen.sequence, layer=chosen.layer)


def _graph(library: Library, chosen: Selection) -> go.Figure:
    """Draw where the locked token draws from, or the last one where none is locked."""
    held = library.edged(chosen.run, chosen.text, chosen.sequence)
    token = None if chosen.token == NO_TOKEN else chosen.token
    try:
        return views.contribution_graph(
            held, token=token, sequence=chosen.sequence, least=float(chosen.least)
        )
    except ValueError as refusal:  # a token beyond those whose edges are kept
        raise NothingToShowError(str(refusal)) from refusal


def _detail(library: Library, chosen: Selection) -> Any:
    """Return the places that the browser fills for the token that is pointed at or locked."""
    del library, chosen
    return [
        html.P("", className="unseen look-said", role="status"),
        html.Div(
            className="look-detail", role="group", **attributes(aria_label="The token in question")
        ),
    ]


PAGE = Page(
    path="/tokens",
    name="Tokens",
    question="Where in the text does it happen?",
    lead=(
        "One text and one head, token by token: point at a token to see where it looks and who "
        "looks at it. Keys that most tokens look at are pinned, so that the rest has a scale of "
        "its own."
    ),
    menus=("run", "layer", "head", "sequence", "text", "statistic"),
    parts=(
        Card(
            "The text",
            (
                Words("look", look, label="Where tokens look", rows=rows),
                Words("text", shaded),
                Words("look-detail", _detail),
            ),
            menus=("mode",),
        ),
        Panel(
            "paths",
            "Where a token draws from",
            _graph,
            height=420,
            click="point",
            hint="Click a token to begin there, or a mark on a line to see its head.",
            menus=("least",),
        ),
        MEANING,
        Panel("tokens", "One text, token by token", _lane, height=360),
        Card(
            "The pattern, coarse or pair by pair",
            (Words("pattern-place", pattern.place), Words("pattern", pattern.frame)),
            menus=("cells",),
        ),
    ),
    about="queries",
    connect=pattern.connect,
)
