"""Overview: how the models of an archive differ, at a glance and by depth."""

from typing import Any

from dash import html

from ..components.attributes import attributes
from ..menu import Menu
from ..queries import Library
from ..selection import Selection
from .page import Page, figure, slot

_FEW_SEEDS = 3


def _lead(menu: Menu) -> str:
    models = list(dict.fromkeys(run.model for run in menu.runs))
    fewest = min(sum(run.model == model for run in menu.runs) for model in models)
    count = f"{len(models)} model{'s' if len(models) > 1 else ''}"
    if len(menu.runs) > len(models):
        count += f" in {len(menu.runs)} trainings"
    if len(menu.runs) > 1:
        count += ", measured on the same text"
    caution = (
        f" With {fewest} seed{'s' if fewest > 1 else ''} of a model, what is seen is about these "
        f"checkpoints and not yet about architectures."
        if fewest < _FEW_SEEDS
        else ""
    )
    return (
        f"{count}. Rows of attention are compared only where queries see about equally many keys; "
        f"choose how many.{caution}"
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
            **attributes(aria_label="All statistics of all models"),
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
