"""A figure with its title, its caption, and the ways to take its numbers along."""

from typing import Any

from dash import dcc, html

from dva_lens.views import CONFIG

from ..panels import PANELS, Shown
from ..selection import Selection
from .attributes import attributes
from .table import table_of
from .taking import csv_address

_CONFIG: Any = {**CONFIG, "displayModeBar": False}


def figure_card(
    name: str, shown: Shown, chosen: Selection, *, keys: bool = False, menu: Any = None
) -> html.Section:
    """Return a figure's card; with `keys` the arrow keys move the chosen head while it has focus.

    `menu` is a menu of its own, if the figure has one.

    The callbacks renew its parts under the ids {part: name}.
    """
    panel = PANELS[name]
    grid: dict[str, Any] = {"tabIndex": "0", "data-headgrid": name} if keys else {}
    return html.Section(
        [
            html.Div(
                [
                    html.H2(shown.title, id={"title": name}, className="card-title"),
                    *([menu] if menu is not None else []),
                    _actions(name, chosen),
                ],
                className="card-head",
            ),
            html.P(shown.missing, id={"missing": name}, className="missing", role="status"),
            html.Div(
                dcc.Graph(
                    id={"panel": name},
                    figure=shown.drawing,
                    config=_CONFIG,
                    style={"height": f"{panel.height}px"},
                ),
                role="group",
                **attributes(aria_label=f"{panel.label}. {panel.hint}".strip()),
                className="drawing",
                id={"drawing": name},
                hidden=bool(shown.missing),
                **grid,
            ),
            html.P(caption_of(shown, panel.hint), id={"caption": name}, className="caption"),
            html.Div(id={"table": name}, className="table-box"),
        ],
        className="card",
        **attributes(aria_label=panel.label),
    )


def caption_of(shown: Shown, hint: str) -> list[Any]:
    """Return a figure's caption and, apart from it, what a click does."""
    if shown.missing:
        return []
    return [shown.caption, " ", html.Span(hint, className="hint")] if hint else [shown.caption]


def table_box(shown: Shown, label: str) -> Any:
    """Return the numbers of a figure as a table that scrolls in its own box."""
    if shown.missing:
        return html.P(shown.missing, className="missing")
    return table_of(shown.rows, label)


def _actions(name: str, chosen: Selection) -> html.Div:
    label = PANELS[name].label
    return html.Div(
        [
            html.Button(
                "Table",
                id={"toggle": name},
                className="action",
                type="button",
                **attributes(aria_label=f"Show as table: {label}", aria_expanded="false"),
            ),
            html.A(
                "CSV",
                id={"csv": name},
                href=csv_address(name, chosen),
                className="action",
                download=f"{name}.csv",
                **attributes(aria_label=f"Download as CSV: {label}"),
            ),
            html.Button(
                "SVG",
                className="action",
                type="button",
                **attributes(data_svg=name, aria_label=f"Download as SVG: {label}"),
            ),
        ],
        className="actions",
    )
