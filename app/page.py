"""What a page is: an address, a question, menus, and a body of figures and slots."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from dash import dcc, html

from ..components.attributes import attributes
from ..components.controls import control
from ..components.figure import figure_card
from ..menu import Menu, Offer
from ..panels import show
from ..queries import Library
from ..selection import Selection
from ..slots import fill


@final
@dataclass(frozen=True)
class Page:
    """One page. `question` is what it answers; `about` says which statistics it can show."""

    path: str
    name: str
    question: str
    lead: Callable[[Menu], str]
    controls: tuple[str, ...]
    body: Callable[[Library, Selection], list[Any]]
    about: Offer = "layers"

    def fit(self, chosen: Selection, menu: Menu) -> Selection:
        """Return the selection with statistics that this page can show."""
        names = [measure.name for measure in menu.offered(self.about)]
        if not names:
            return chosen
        other = next((name for name in names if name != chosen.statistic), names[0])
        return chosen.but(
            statistic=chosen.statistic if chosen.statistic in names else names[0],
            other=chosen.other if chosen.other in names else other,
        )


def render(page: Page, library: Library, chosen: Selection) -> html.Div:
    """Return a whole page, filled, with the query that it shows in a store."""
    query = chosen.to_query()
    menus = [control(f, library.menu, chosen, about=page.about) for f in page.controls]
    return html.Div(
        [
            dcc.Store(id="query", data=query),
            dcc.Store(id="drawn", data={"of": query, "is": query}),
            html.Header(
                [html.H1(page.question), html.P(page.lead(library.menu), className="lead")],
                className="page-head",
            ),
            html.Form(menus, className="controls", **attributes(aria_label="What to show")),
            *page.body(library, chosen),
        ],
        className=f"page page-{page.name.lower()}",
    )


def figure(name: str, library: Library, chosen: Selection, **options: Any) -> html.Section:
    """Return a figure's card, drawn."""
    return figure_card(name, show(name, library, chosen), chosen, **options)


def slot(name: str, library: Library, chosen: Selection, className: str = "") -> html.Div:
    """Return a slot, filled."""
    return html.Div(fill(name, library, chosen), id={"slot": name}, className=className)
