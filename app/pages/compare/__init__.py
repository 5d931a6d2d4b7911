"""Compare: every model held against a baseline, with both estimands and what may be said."""

from typing import Any

from dash import html

from ..components.attributes import attributes
from ..menu import Menu
from ..queries import Library
from ..selection import Selection
from .page import Page, figure, slot


def _lead(menu: Menu) -> str:  # noqa: ARG001  every page's signature
    return (
        "Two questions, never mixed: would these checkpoints differ on other texts, and would "
        "these architectures differ if they were trained again?"
    )


def _body(library: Library, chosen: Selection) -> list[Any]:
    title = "All statistics, held against the baseline"
    return [
        slot("meaning", library, chosen, "card quiet"),
        figure("difference", library, chosen),
        html.Section(
            [html.H2(title, className="card-title"), slot("contrasts", library, chosen)],
            className="card",
            **attributes(aria_label=title),
        ),
    ]


COMPARE = Page(
    path="/compare",
    name="Compare",
    question="Is the difference real?",
    lead=_lead,
    controls=("baseline", "statistic", "span", "probe"),
    body=_body,
)
