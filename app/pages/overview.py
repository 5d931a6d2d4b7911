"""Overview: how the models of an archive differ, at a glance and by depth."""

from typing import Any

from dash import html

from ..menu import Menu
from ..queries import Library
from ..selection import Selection
from .page import Page, figure, slot


def _lead(menu: Menu) -> str:
    models = list(dict.fromkeys(run.model for run in menu.runs))
    seeds = len(menu.runs) / len(models)
    each = f"{seeds:.0f} seed{'s' if seeds > 1 else ''} each" if seeds == int(seeds) else "by seed"
    count = f"{len(models)} model{'s' if len(models) > 1 else ''}"
    return (
        f"{count}, {each}, measured on the same text. Rows of attention are compared only where "
        f"queries see about equally many keys; statistics of whole texts do not depend on that "
        f"choice."
    )


def _body(library: Library, chosen: Selection) -> list[Any]:
    return [
        slot("meaning", library, chosen, "card quiet"),
        figure("depth", library, chosen),
        html.Section(
            [
                html.H2("All statistics of all models", className="card-title"),
                slot("headline", library, chosen),
            ],
            className="card",
            **{"aria-label": "All statistics of all models"},
        ),
    ]


OVERVIEW = Page(
    path="/",
    name="Overview",
    question="Where does attention go, and does the model matter?",
    lead=_lead,
    controls=("statistic", "span", "probe"),
    body=_body,
)
