"""From a changed selection to the figures, tables and words that it changes."""

from typing import Any

from dash import Dash, Input, Output, Patch, State, ctx, no_update
from dash.dependencies import ALL

from ..components.figure import caption_of, table_box
from ..components.taking import csv_address
from ..panels import PANELS, REFUSALS, show
from ..queries import Library
from ..ranking import rank_of
from ..selection import Selection
from ..slots import SLOTS, fill

PARTS = 6
"""A figure's drawing, title, caption, hidden flag, reason why missing, and CSV address."""


def changed(before: Selection, after: Selection) -> set[str]:
    """Return the fields in which two selections differ."""
    return {name for name, value in vars(after).items() if getattr(before, name) != value}


def redraw(name: str, library: Library, chosen: Selection, fields: set[str]) -> tuple[Any, ...]:
    """Return what a figure needs after fields changed: all of it, a moved mark, or nothing."""
    panel, csv = PANELS[name], csv_address(name, chosen)
    if fields & set(panel.uses):
        shown = show(name, library, chosen)
        caption = caption_of(shown, panel.hint)
        return shown.drawing, shown.title, caption, bool(shown.missing), shown.missing, csv
    if panel.mark and fields & {"layer", "head"}:
        moved = Patch()
        try:
            marks = panel.mark(library, chosen)
        except REFUSALS:
            marks = []
        if marks:
            moved["layout"]["shapes"][-1] = marks[-1]
            return (moved, *[no_update] * (PARTS - 2), csv)
    return (*[no_update] * (PARTS - 1), csv)


def spoken(library: Library, chosen: Selection) -> str:
    """Return what is said aloud about the chosen head."""
    measure = library.menu.measure(chosen.statistic)
    rank = rank_of(library, chosen, measure) if measure.per_head else None
    head = f"Layer {chosen.layer}, head {chosen.head}"
    if rank is None:
        return f"{head}: no {measure.long_name.lower()}."
    return f"{head}: {measure.long_name.lower()} {rank.value:.3g}, {rank.place} of {rank.of}."


def register(app: Dash, library: Library) -> None:
    """Redraw what depends on what changed; show and hide tables."""

    @app.callback(
        Output({"panel": ALL}, "figure"),
        Output({"title": ALL}, "children"),
        Output({"caption": ALL}, "children"),
        Output({"drawing": ALL}, "hidden"),
        Output({"missing": ALL}, "children"),
        Output({"csv": ALL}, "href"),
        Output({"slot": ALL}, "children"),
        Output("spoken", "children"),
        Output("drawn", "data"),
        Input("query", "data"),
        State("drawn", "data"),
        prevent_initial_call=True,
    )
    def _draw(query: str | None, drawn: dict[str, str]) -> tuple[Any, ...]:
        chosen = Selection.from_query(query or "", library.menu)
        fields = changed(Selection.from_query(drawn["is"], library.menu), chosen)
        panels = [part["id"]["panel"] for part in ctx.outputs_list[0]]
        slots = [part["id"]["slot"] for part in ctx.outputs_list[6]]
        parts = [redraw(name, library, chosen, fields) for name in panels]
        filled = [_refill(name, library, chosen, fields) for name in slots]
        columns = [list(column) for column in zip(*parts, strict=True)] or [[]] * PARTS
        return (*columns, filled, spoken(library, chosen), {"of": query, "is": chosen.to_query()})

    @app.callback(
        Output({"table": ALL}, "children"),
        Output({"toggle": ALL}, "aria-expanded"),
        Input({"toggle": ALL}, "n_clicks"),
        Input("query", "data"),
        prevent_initial_call=True,
    )
    def _tables(clicks: list[int | None], query: str | None) -> tuple[list[Any], list[str]]:
        names = [part["id"]["table"] for part in ctx.outputs_list[0]]
        chosen = Selection.from_query(query or "", library.menu)
        opened = [bool(count and count % 2) for count in clicks]
        tables = [
            table_box(show(name, library, chosen), PANELS[name].label) if is_open else None
            for name, is_open in zip(names, opened, strict=True)
        ]
        return tables, [str(is_open).lower() for is_open in opened]


def _refill(name: str, library: Library, chosen: Selection, fields: set[str]) -> Any:
    return fill(name, library, chosen) if fields & set(SLOTS[name].uses) else no_update
