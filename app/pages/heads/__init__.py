"""Heads: which heads of one model stand out, and what one of them does."""

from typing import Any

from dash import html

from ..components.attributes import attributes
from ..components.controls import control
from ..menu import Menu
from ..queries import Library
from ..selection import Selection
from .page import Page, figure, slot


def _lead(menu: Menu) -> str:  # noqa: ARG001  every page's signature
    return (
        "Every cell of the map is one attention head of one trained model. Choose one to see its "
        "numbers, its rank, and whether they hold at every context length."
    )


def _body(library: Library, chosen: Selection) -> list[Any]:
    other = control("other", library.menu, chosen, about="heads")
    left = [figure("head-map", library, chosen, keys=True), figure("head-spans", library, chosen)]
    return [
        slot("meaning", library, chosen, "card quiet"),
        html.Div([html.Div(left), html.Div(_beside(library, chosen))], className="two"),
        figure("head-scatter", library, chosen, menu=other),
    ]


def _beside(library: Library, chosen: Selection) -> list[html.Section]:
    order = control("order", library.menu, chosen)
    title = html.H2("Find a head", className="card-title")
    return [
        html.Section(
            [slot("head", library, chosen), slot("numbers", library, chosen)],
            className="card",
            **attributes(aria_label="The chosen head"),
        ),
        html.Section(
            [html.Div([title, order], className="card-head"), slot("finder", library, chosen)],
            className="card",
            **attributes(aria_label="Find a head"),
        ),
    ]


HEADS = Page(
    path="/heads",
    name="Heads",
    question="Which heads stand out?",
    lead=_lead,
    controls=("run", "statistic", "span", "probe"),
    body=_body,
    about="heads",
)
