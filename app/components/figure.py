"""A figure with its title, its caption, and the ways to take its numbers along."""

from collections.abc import Sequence
from typing import Any

from dash import dcc

from dva_lens.views import CONFIG
from dva_lens.views.figure import names_in_legend

from ..drawing import Shown
from ..page import Panel
from ..state import Selection
from .attributes import attributes
from .elements import html
from .links import numbers_link
from .markup import as_markup
from .table import table_of

_CONFIG: Any = {**CONFIG, "displayModeBar": False}


def figure_card(
    panel: Panel,
    shown: Shown,
    chosen: Selection,
    *,
    drawing: dict[str, Any],
    menus: Sequence[Any] = (),
) -> html.Section:
    """Return a figure's card; the callbacks renew its parts under the ids {part: name}."""
    name = panel.name
    keys: dict[str, Any] = {"tabIndex": "0", "data-headgrid": name} if panel.keys else {}
    return html.Section(
        [
            html.Div(
                [
                    html.H2(shown.title, id={"title": name}, className="card-title"),
                    *menus,
                    _actions(panel, chosen),
                ],
                className="card-head",
            ),
            html.P(shown.missing, id={"missing": name}, className="missing", role="status"),
            html.Div(
                dcc.Graph(
                    id={"panel": name},
                    figure=drawing,
                    config=_CONFIG,
                    style={"--height": f"{panel.height}px", "--names": names_in_legend(drawing)},
                ),
                role="group",
                **attributes(
                    aria_label=f"{panel.label}. {panel.hint}".strip(), data_click=panel.click
                ),
                className="drawing",
                id={"drawing": name},
                hidden=bool(shown.missing),
                **keys,
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
    return as_markup(table_of(shown.rows, label))


def _actions(panel: Panel, chosen: Selection) -> html.Div:
    name, label = panel.name, panel.label
    return html.Div(
        [
            html.Button(
                "Table",
                id={"toggle": name},
                className="action",
                type="button",
                **attributes(aria_label=f"Show as table: {label}", aria_expanded="false"),
            ),
            numbers_link("CSV", name, chosen, label=label, class_name="action"),
            html.Button(
                "SVG",
                className="action",
                type="button",
                **attributes(data_svg=name, aria_label=f"Download as SVG: {label}"),
            ),
        ],
        className="actions",
    )
