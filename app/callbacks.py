"""What happens when a reader opens an address, chooses something, or asks for a table.

A choice is one call to the server: it returns the figures, words and open tables that depend on
what changed, and nothing for the rest. Browsers can send anything here, so names are looked up
and every value is checked; what no page of the explorer would send is answered 400.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, no_update
from dash.dependencies import ALL
from dash.exceptions import PreventUpdate
from werkzeug.exceptions import BadRequest

from .components.figure import caption_of, table_box
from .drawing import drawing_of, figure_of, markup_of, shapes_of, words_of
from .inspector import spoken
from .layout import page_at
from .library import Library
from .page import Page, Panel, Words
from .pages import PAGES, parts_by_name
from .state import Selection
from .workbench import Workbench

FIGURE_PARTS = 5
"""A figure's drawing, title, caption, hidden flag, and the reason why it is missing."""


def redraw(
    panel: Panel, library: Library, before: Selection, chosen: Selection
) -> tuple[Any, ...]:
    """Return what a figure needs after a choice: all of it, or nothing."""
    figure = figure_of(panel, library)
    earlier, shown = figure.held(before), figure(chosen)
    if earlier is None or earlier[0] is not shown:
        caption = caption_of(shown, panel.hint)
        drawing = drawing_of(panel, library, chosen)
        return drawing, shown.title, caption, bool(shown.missing), shown.missing
    return (no_update,) * FIGURE_PARTS


def marks_of(panels: Sequence[Panel], library: Library, chosen: Selection) -> dict[str, Any]:
    """Return the shapes that mark the chosen head, by figure; the browser moves them."""
    return {
        panel.name: shapes_of(panel, library, chosen)
        for panel in panels
        if panel.mark is not None and not figure_of(panel, library)(chosen).missing
    }


def refill(
    words: Words, library: Library, before: Selection, chosen: Selection
) -> tuple[Any, Any]:
    """Return the markup and the components that fill words after a choice, or no change."""
    fill = words_of(words, library)
    earlier, filled = fill.held(before), fill(chosen)
    if earlier is not None and earlier[0] is filled:
        return no_update, no_update
    write = markup_of(words, library)
    written = write(chosen)
    if written is None:
        return "", filled
    was_plain = earlier is not None and write(before) is not None
    return written, no_update if was_plain else None


def register(app: Dash, bench: Workbench) -> None:
    """Connect addresses with pages, and what is chosen with what is shown."""

    @app.callback(
        Output("page", "children"), Input("address", "pathname"), State("address", "search")
    )
    def _open(path: Any, query: Any) -> Any:
        return page_at(bench.library, _text(path) or "/", _text(query))

    @app.callback(
        Output({"panel": ALL}, "figure"),
        Output({"title": ALL}, "children"),
        Output({"caption": ALL}, "children"),
        Output({"drawing": ALL}, "hidden"),
        Output({"missing": ALL}, "children"),
        Output({"table": ALL}, "children"),
        Output({"toggle": ALL}, "aria-expanded"),
        Output({"markup": ALL}, "data-markup"),
        Output({"words": ALL}, "children"),
        Output("spoken", "children"),
        Output("drawn", "data"),
        Input("query", "data"),
        Input({"toggle": ALL}, "n_clicks"),
        State("drawn", "data"),
        prevent_initial_call=True,
    )
    def _draw(query: Any, clicks: list[Any], drawn: Any) -> tuple[Any, ...]:
        library = bench.library
        page, before = _drawn(library, drawn)
        chosen = page.fit(_selection(library, query), library.catalogue)
        known = parts_by_name()
        panels = [_panel(known, part["id"]["panel"]) for part in ctx.outputs_list[0]]
        is_open = [bool(count % 2) for count in map(_count, clicks)]
        was_open = drawn.get("open") or [False] * len(panels)
        if len(is_open) != len(panels):
            raise BadRequest("There must be one table per figure.")
        if len(was_open) != len(panels):
            raise PreventUpdate  # another page is about to be shown, and draws itself
        parts = [redraw(panel, library, before, chosen) for panel in panels]
        columns = [list(column) for column in zip(*parts, strict=True)] or [[]] * FIGURE_PARTS
        tables = [
            _table(panel, library, chosen, is_open=now)
            if now != then or (now and part[1] is not no_update)
            else no_update
            for panel, part, now, then in zip(panels, parts, is_open, was_open, strict=True)
        ]
        words = [
            refill(_words(known, part["id"]["words"]), library, before, chosen)
            for part in ctx.outputs_list[8]
        ]
        said = (page.announce or spoken)(library, chosen)
        expanded = [
            str(now).lower() if now != then else no_update
            for now, then in zip(is_open, was_open, strict=True)
        ]
        now = {"path": page.path, "of": query, "is": chosen.to_query(), "open": is_open}
        now["marks"] = marks_of(panels, library, chosen)
        return (*columns, tables, expanded, *_columns(words), said, now)

    _in_the_browser(app)


def _columns(words: Sequence[tuple[Any, Any]]) -> tuple[list[Any], list[Any]]:
    return [said for said, _ in words], [living for _, living in words]


def _in_the_browser(app: Dash) -> None:
    app.clientside_callback(
        ClientsideFunction("lens", "choose"),
        Output("query", "data"),
        Input({"control": ALL}, "value"),
        Input({"panel": ALL}, "clickData"),
        Input("request", "data"),
        State("query", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("lens", "correct"),
        Output("query", "data", allow_duplicate=True),
        Input("drawn", "data"),
        State("query", "data"),
        prevent_initial_call=True,
    )


def _drawn(library: Library, drawn: Any) -> tuple[Page, Selection]:
    """Return the page that a browser shows, and the selection that it was drawn for."""
    if not isinstance(drawn, dict) or not isinstance(drawn.get("open", []), list):
        raise BadRequest("`drawn` must say what is shown.")
    page = PAGES.get(_text(drawn.get("path")))
    if page is None:
        raise BadRequest("`drawn` must name a page.")
    if page.needs_runs and not library.catalogue.runs:
        raise BadRequest("Nothing has been measured yet.")
    return page, page.fit(_selection(library, drawn.get("is")), library.catalogue)


def _selection(library: Library, query: Any) -> Selection:
    return Selection.from_query(_text(query), library.catalogue)


def _text(value: Any) -> str:
    if value is not None and not isinstance(value, str):
        raise BadRequest("An address must be text.")
    return value or ""


def _panel(known: Mapping[str, Panel | Words], name: Any) -> Panel:
    found = known.get(name) if isinstance(name, str) else None
    if not isinstance(found, Panel):
        raise BadRequest("There is no such figure.")
    return found


def _words(known: Mapping[str, Panel | Words], name: Any) -> Words:
    found = known.get(name) if isinstance(name, str) else None
    if not isinstance(found, Words):
        raise BadRequest("There are no such words.")
    return found


def _table(panel: Panel, library: Library, chosen: Selection, *, is_open: bool) -> Any:
    return table_box(figure_of(panel, library)(chosen), panel.label) if is_open else None


def _count(clicks: Any) -> int:
    if clicks is not None and not isinstance(clicks, int):
        raise BadRequest("A number of clicks must be a whole number.")
    return clicks or 0
