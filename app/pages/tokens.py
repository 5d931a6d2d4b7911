"""Tokens: what single queries of one text read."""

from typing import Any

from dash import html

from ..components.attributes import attributes
from ..menu import Menu
from ..queries import Library
from ..selection import Selection
from .page import Page, figure, slot


def _lead(menu: Menu) -> str:  # noqa: ARG001  every page's signature
    return (
        "One text, token by token: each column is a query, each row a head of the chosen layer. "
        "What goes to the first key stands in a lane of its own."
    )


def _body(library: Library, chosen: Selection) -> list[Any]:
    return [
        slot("meaning", library, chosen, "card quiet"),
        html.Section(
            [html.H2("The text", className="card-title"), slot("text", library, chosen)],
            className="card",
            **attributes(aria_label="The text"),
        ),
        figure("tokens", library, chosen),
    ]


TOKENS = Page(
    path="/tokens",
    name="Tokens",
    question="Where in a text?",
    lead=_lead,
    controls=("run", "statistic", "layer", "sequence", "probe"),
    body=_body,
    about="queries",
)
