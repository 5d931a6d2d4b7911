"""From an address to a page."""

from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State
from dash.dependencies import ALL

from ..components.shell import not_found
from ..pages import PAGES
from ..pages.page import render
from ..queries import Library
from ..selection import Selection


def page_at(library: Library, path: str | None, query: str | None) -> Any:
    """Return the page of an address, whatever the address says."""
    page = PAGES.get((path or "/").rstrip("/") or "/")
    if page is None:
        return not_found(path or "")
    chosen = page.fit(Selection.from_query(query or "", library.menu), library.menu)
    return render(page, library, chosen)


def register(app: Dash, library: Library) -> None:
    """Connect the address with the page, and clicks, keys and menus with the address."""

    @app.callback(
        Output("page", "children"), Input("address", "pathname"), Input("address", "search")
    )
    def _open(path: str | None, query: str | None) -> Any:
        return page_at(library, path, query)

    app.clientside_callback(
        ClientsideFunction("lens", "choose"),
        Output("query", "data"),
        Input({"control": ALL}, "value"),
        Input({"panel": ALL}, "clickData"),
        Input("wish", "data"),
        State("query", "data"),
        State("sizes", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("lens", "settle"),
        Output("query", "data", allow_duplicate=True),
        Input("drawn", "data"),
        State("query", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("lens", "navigation"),
        Output({"nav": ALL}, "href"),
        Output({"nav": ALL}, "aria-current"),
        Input("query", "data"),
        State({"nav": ALL}, "id"),
    )
