"""A page as HTML that stands by itself: its frame, its menus, and places for what it shows."""

import json
from collections.abc import Mapping, Sequence
from copy import copy
from html import escape
from typing import Any

import dash_mantine_components as dmc
from dash import dcc
from dash.development.base_component import Component

from ..components.attributes import attributes
from ..components.elements import html
from ..components.frame import brand
from ..components.markup import markup
from ..layout import render
from ..library import Library
from ..page import Page
from ..scheme import ICON, SCHEME
from ..state import Selection
from .choices import IN_THE_BROWSER, Choices
from .names import CHOICES, OWN, PLOTLY, PROGRAM, SCRIPTS, STYLES, file_of

_FEWEST = 2
"""Options of a menu; a single one is no choice."""


def page_file(
    page: Page, pages: Sequence[Page], library: Library, chosen: Selection, choices: Choices
) -> str:
    """Return the HTML of a page's file, to be filled by `offline.js`."""
    own_scripts = [name for name in OWN if name.endswith(".js")]
    own_styles = [name for name in OWN if name.endswith(".css")]
    scripts = [PLOTLY, *own_scripts, *SCRIPTS]
    program = [CHOICES, *(f"{PROGRAM}/{name}" for name in scripts)]
    styles = [f"{PROGRAM}/{name}" for name in (*STYLES, *own_styles)]
    shell = _plain(render(page, library, chosen), choices)
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en" data-page="{escape(page.path)}">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(page.name)} · dva-lens</title>",
            f"<script>{SCHEME}</script>",
            ICON,
            *(f'<link rel="stylesheet" href="{name}">' for name in styles),
            *(f'<script defer src="{name}"></script>' for name in program),
            "</head>",
            "<body>",
            markup(_frame(pages, shell)),
            "</body>",
            "</html>",
            "",
        ]
    )


def _frame(pages: Sequence[Page], shell: Any) -> list[Any]:
    links = [
        html.A(page.name, href=file_of(page), **attributes(data_nav=page.path)) for page in pages
    ]
    copy = html.Button(
        "Copy link", type="button", className="action", **attributes(data_copy_link="")
    )
    scheme = html.Button(
        "☀☾",
        type="button",
        className="action",
        **attributes(data_scheme="", aria_label="Switch between light and dark"),
    )
    return [
        html.A("Skip to the page", href="#page", className="skip"),
        html.Header(
            [
                brand(file_of(pages[0])),
                html.Nav(links, **attributes(aria_label="Pages")),
                html.Div([copy, scheme], className="tools"),
            ],
            className="top",
        ),
        html.P(className="lost-note", role="alert"),
        html.Main(shell, id="page", tabIndex="-1"),
        html.Div(id="spoken", className="unseen", role="status", **attributes(aria_live="polite")),
        html.Noscript("These pages need JavaScript; all of it is in their folder."),
    ]


def _plain(part: Any, choices: Choices) -> Any:
    """Return components of HTML alone: menus and places of figures by elements, stores by none."""
    if isinstance(part, list | tuple):
        return [_plain(each, choices) for each in part]
    if not isinstance(part, Component):
        return part
    if isinstance(part, dcc.Store):
        return None
    given = vars(part)
    if isinstance(part, dcc.Graph):
        plot = html.Div(className="plot")
        return html.Div(plot, id=_id(part), style=given["style"], className="dash-graph")
    if isinstance(part, dmc.Select):
        return _menu(given, choices)
    changed = copy(part)
    if "id" in given:
        vars(changed)["id"] = _id(part)
    if "children" in given:
        vars(changed)["children"] = _plain(given["children"], choices)
    return changed


def _menu(menu: Mapping[str, Any], choices: Choices) -> html.Label | None:
    """Return a menu as the element of HTML, with what is exported; one choice needs no menu."""
    field = str(menu["id"]["control"])
    free = field in ("layer", "head", *IN_THE_BROWSER)
    allowed = None if free else [str(value) for value in choices.fields.get(field, ())]
    listed = [found for found in (_option(each, allowed) for each in menu["data"]) if found]
    options = [each for each in _singles(listed) if isinstance(each, html.Option)]
    if len(options) < _FEWEST:
        return None
    choose = html.Select(listed, id=_written(menu["id"]))
    return html.Label(
        [
            html.Span(menu["label"], className="mantine-Select-label"),
            html.Span(choose, className="mantine-Select-wrapper"),
        ],
        className=menu["className"],
    )


def _option(given: dict[str, Any], allowed: Sequence[str] | None) -> Component | None:
    """Return an option or a group of options, or nothing where none of it is exported."""
    if "group" in given:
        within = [found for found in (_option(each, allowed) for each in given["items"]) if found]
        return html.Optgroup(within, label=given["group"]) if within else None
    if allowed is not None and given["value"] not in allowed:
        return None
    return html.Option(given["label"], value=given["value"])


def _singles(listed: Sequence[Component]) -> list[Component]:
    """Return options and what groups hold in one list."""
    return [
        one
        for each in listed
        for one in (each, *(getattr(each, "children", None) or ()))
        if isinstance(one, Component)
    ]


def _id(part: Component) -> str:
    return _written(vars(part)["id"])


def _written(name: Any) -> str:
    """Return the name of a component as Dash writes it into pages."""
    return (
        name if isinstance(name, str) else json.dumps(name, sort_keys=True, separators=(",", ":"))
    )
