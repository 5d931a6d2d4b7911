"""Training: how loss fell, and when a statistic moved."""

from typing import Any

from ..menu import Menu
from ..queries import Library
from ..selection import Selection
from .page import Page, figure, slot


def _lead(menu: Menu) -> str:  # noqa: ARG001  every page's signature
    return (
        "Models that learn at different speeds differ at any step for that reason alone: read "
        "the statistic beside the loss."
    )


def _body(library: Library, chosen: Selection) -> list[Any]:
    return [
        slot("meaning", library, chosen, "card quiet"),
        figure("history", library, chosen),
        figure("loss", library, chosen),
    ]


TRAINING = Page(
    path="/training",
    name="Training",
    question="When in training does it happen?",
    lead=_lead,
    controls=("statistic", "span", "probe"),
    body=_body,
)
