"""Values: where the values of each layer come from, and what becomes of the first key's."""

from typing import Any

from ..components.controls import control
from ..menu import Menu
from ..queries import Library
from ..selection import Selection
from .page import Page, figure, slot


def _lead(menu: Menu) -> str:  # noqa: ARG001  every page's signature
    return (
        "What a head writes is its pattern times its values. Attention can go to a key whose "
        "value is small, and then it writes little; a value can come from another layer; and it "
        "can differ from query to query."
    )


def _body(library: Library, chosen: Selection) -> list[Any]:
    run = control("run", library.menu, chosen)
    return [
        slot("about-values", library, chosen, "card quiet"),
        figure("value-sources", library, chosen, menu=run),
        figure("drains", library, chosen),
        figure("dynamism", library, chosen),
    ]


VALUES = Page(
    path="/values",
    name="Values",
    question="What do values do with attention?",
    lead=_lead,
    controls=("probe",),
    body=_body,
)
