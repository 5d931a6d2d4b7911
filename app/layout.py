"""From an address to a page: its heading, its menus and its parts, filled."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from dash import dcc

from .components.attributes import attributes
from .components.controls import control
from .components.elements import html
from .components.figure import figure_card
from .components.frame import not_found, nothing_yet
from .components.inspector_box import inspector_box
from .components.markup import place_of
from .describe import model_words
from .drawing import drawing_of, figure_of, words_of
from .inspector import BAR, INSPECTOR
from .inspector.readings import standing_out
from .library import Library
from .page import Card, Columns, Page, Panel, Part, Words
from .pages import PAGES
from .state import Selection, gone, names_a_head, normalise_url


def page_of(path: str) -> Page | None:
    """Return the page at the path of an address, or None where there is none."""
    return PAGES.get(path.rstrip("/") or "/")


def page_at(library: Library, path: str, query: str) -> Any:
    """Return the page of an address, whatever the address says."""
    page = page_of(path)
    if page is None:
        return not_found(path)
    if page.needs_runs and not library.catalogue.runs:
        return nothing_yet(page.name)
    chosen = page.fit(_opened(library, query), library.catalogue)
    notes = (*normalise_url(query)[1], *gone(query, library.catalogue))
    return render(page, library, chosen, notes=notes)


def _opened(library: Library, query: str) -> Selection:
    """Return what an address says; one that names no head opens on the one that stands out."""
    chosen = Selection.from_query(query, library.catalogue)
    if names_a_head(query) or chosen.text not in library.archive.texts:
        return chosen
    head = library.remembered(standing_out)(chosen)
    return chosen if head is None else chosen.but(**head._asdict())


def render(page: Page, library: Library, chosen: Selection, notes: Sequence[str] = ()) -> html.Div:
    """Return a whole page, filled, with the query that it shows in a store."""
    query = chosen.to_query()
    sizes = {run.name: [run.layers, run.heads] for run in library.catalogue.runs}
    lead = page.lead if isinstance(page.lead, str) else page.lead(library.catalogue)
    return html.Div(
        [
            dcc.Store(id="query", data=query),
            dcc.Store(id="drawn", data={"path": page.path, "of": query, "is": query}),
            html.Div(
                [
                    html.Header(
                        [
                            html.H1(page.question),
                            html.P(lead, className="lead"),
                            *(html.P(note, className="note", role="status") for note in notes),
                        ],
                        className="page-head",
                    ),
                    html.Form(
                        _menus(page.menus, page, library, chosen),
                        className="controls",
                        **attributes(aria_label="What to show"),
                    ),
                    *(_part(part, page, library, chosen) for part in page.parts),
                ],
                className="page-main",
            ),
            *_inspector(library, chosen),
        ],
        className=f"page page-{page.name.lower()}",
        **attributes(data_path=page.path, data_query=query, data_sizes=json.dumps(sizes)),
    )


def _inspector(library: Library, chosen: Selection) -> list[Any]:
    if not library.catalogue.runs:
        return []
    return [inspector_box(words_of(BAR, library)(chosen), words_of(INSPECTOR, library)(chosen))]


def _part(part: Part, page: Page, library: Library, chosen: Selection) -> Any:
    if isinstance(part, Panel):
        return figure_card(
            part,
            figure_of(part, library)(chosen),
            chosen,
            drawing=drawing_of(part, library, chosen),
            menus=_menus(part.menus, page, library, chosen),
        )
    if isinstance(part, Words):
        filled = words_of(part, library)(chosen)
        return place_of(part.name, filled, class_name=part.class_name)
    if isinstance(part, Card):
        return _card(part, page, library, chosen)
    return _columns(part, page, library, chosen)


def _card(card: Card, page: Page, library: Library, chosen: Selection) -> html.Section:
    menus = _menus(card.menus, page, library, chosen)
    title = html.H2(card.title, className="card-title")
    head = [] if card.spoken else [html.Div([title, *menus], className="card-head")]
    return html.Section(
        [*head, *(_part(words, page, library, chosen) for words in card.parts)],
        className="card",
        **attributes(aria_label=card.title),
    )


def _columns(part: Columns, page: Page, library: Library, chosen: Selection) -> html.Div:
    columns = [
        html.Div([_part(each, page, library, chosen) for each in column])
        for column in part.columns
    ]
    return html.Div(columns, className="two")


def _menus(names: Sequence[str], page: Page, library: Library, chosen: Selection) -> list[Any]:
    meanings = partial(model_words, library)
    controls = (
        control(name, library.catalogue, chosen, about=page.about, meanings=meanings)
        for name in names
    )
    return [each for each in controls if getattr(each, "data", None)]
