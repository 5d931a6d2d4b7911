"""What surrounds every page: navigation, the colour scheme, and what is said aloud."""

from collections.abc import Iterable
from typing import Any

import dash_mantine_components as dmc
from dash import dcc

from ..catalogue import Catalogue
from .attributes import attributes
from .elements import html

_THEME: Any = {
    "fontFamily": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif",
    "primaryColor": "indigo",
    "defaultRadius": "sm",
}


def frame(
    pages: Iterable[tuple[str, str]], catalogue: Catalogue, index: str
) -> dmc.MantineProvider:
    """Return the frame in which pages appear; `pages` are paths and names.

    `index` is what search finds, as `search_index` returns it.
    """
    links = [html.A(name, href=path, **attributes(data_nav=path)) for path, name in pages]
    return dmc.MantineProvider(
        [
            dcc.Location(id="address", refresh=False),
            dcc.Store(id="request"),
            html.Div(id="index", hidden=True, **attributes(data_index=index)),
            html.Div(className="waiting-bar", **attributes(aria_hidden="true")),
            html.P(className="lost-note", role="alert"),
            html.A("Skip to the page", href="#page", className="skip"),
            html.Header(
                [
                    brand("/"),
                    html.Nav(links, **attributes(aria_label="Pages")),
                    html.Div(
                        [
                            html.Button(
                                ["Search", html.Kbd("Ctrl K")],
                                type="button",
                                className="action keep",
                                **attributes(data_search=""),
                            ),
                            html.Button(
                                "?",
                                type="button",
                                className="action",
                                title="Keys",
                                **attributes(data_keys="", aria_label="Keys"),
                            ),
                            html.Button(
                                "Copy link",
                                type="button",
                                className="action",
                                **attributes(data_copy_link=""),
                            ),
                            dmc.ColorSchemeToggle(
                                lightIcon="☀",
                                darkIcon="☾",
                                variant="subtle",
                                color="gray",
                                size="md",
                                **attributes(aria_label="Switch between light and dark"),
                            ),
                        ],
                        className="tools",
                    ),
                ],
                className="top",
            ),
            html.Aside(_refused(catalogue), className="refused", hidden=not catalogue.refused),
            html.Main(id="page", tabIndex="-1"),
            html.Div(
                id="spoken", className="unseen", role="status", **attributes(aria_live="polite")
            ),
        ],
        theme=_THEME,
        defaultColorScheme="auto",
    )


def brand(home: str) -> html.A:
    """Return the sign and name of the project, which lead to the first page."""
    return html.A([_mark(), "dva-lens"], href=home, className="brand")


def not_found(path: str) -> html.Div:
    """Return the page for an address that leads nowhere."""
    return html.Div(
        [
            html.H1("There is no such page"),
            html.P(
                [
                    f"“{path[:60]}” is not a page of the explorer. ",
                    html.A("Overview", href="/", className="plain"),
                ]
            ),
        ],
        className="page",
    )


def nothing_yet(name: str) -> html.Div:
    """Return a page that shows measurements, before there are any."""
    return html.Div(
        [
            html.H1(f"{name}: nothing has been measured yet"),
            html.P(
                [
                    "This page shows measurements, and the explorer was started without an "
                    "archive. Run a model on a text on ",
                    html.A("Live", href="/live", className="plain"),
                    ", and its measurement is shown here too; or start the explorer with the "
                    "folder of an archive.",
                ],
                className="lead",
            ),
        ],
        className="page",
    )


def _refused(catalogue: Catalogue) -> list[Any]:
    count = len(catalogue.refused)
    title = f"{count} run{'s' if count > 1 else ''} of this archive cannot be read"
    return [html.Details([html.Summary(title), *map(html.P, catalogue.refused)])] if count else []


def _mark() -> html.Span:
    """Return the sign of the project: weights falling off with distance."""
    return html.Span([html.I(), html.I(), html.I(), html.I()], className="sign")
