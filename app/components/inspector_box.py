"""Where the inspector stands: beside the page, or behind a bar at its foot where it is narrow."""

from typing import Any

from .attributes import attributes
from .elements import html
from .markup import place_of


def inspector_box(bar: Any, words: Any) -> html.Aside:
    """Return the inspector with its bar; arrow keys on its name move the chosen head."""
    return html.Aside(
        [
            html.Button(
                [place_of("inspector-bar", bar, element=html.Span), html.I(className="chevron")],
                type="button",
                className="inspector-bar",
                **attributes(data_inspector="", aria_expanded="false", aria_controls="inspector"),
            ),
            html.Div(
                place_of("inspector", words),
                id="inspector",
                className="inspector-body",
                role="group",
                tabIndex="0",
                **attributes(
                    data_headmove="",
                    aria_label="The chosen head; arrow keys move to the next layer or head",
                ),
            ),
        ],
        className="inspector",
        **attributes(aria_label="Inspector"),
    )
