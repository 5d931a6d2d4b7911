"""Links: to the same page with something else chosen, to another page, and to numbers.

A link says only what it changes (`data-choose`), so that it need not be written anew when
something else is chosen; the browser completes its address with what is shown.
"""

from typing import Any
from urllib.parse import urlencode

from ..state import Selection
from .attributes import attributes
from .elements import html


def choice_link(
    children: Any,
    *,
    path: str = "",
    label: str = "",
    current: bool = False,
    class_name: str = "",
    **chosen: str | int,
) -> html.A:
    """Return a link that changes fields of the selection, on the page at `path` or on this one.

    `label` is what a screen reader says instead of the text; `current` marks what is chosen now.
    """
    said = urlencode(chosen)
    names = {"data_choose": said, "data_path": path, "aria_label": label}
    names["aria_current"] = "true" if current else ""
    return html.A(
        children,
        href=f"{path}?{said}",
        className=class_name,
        **attributes(**{name: value for name, value in names.items() if value}),
    )


def numbers_address(name: str, chosen: Selection) -> str:
    """Return where the numbers of a figure or table are served."""
    return f"/numbers/{name}.csv?{chosen.to_query()}"


def numbers_link(
    text: str, name: str, chosen: Selection | None = None, *, label: str, class_name: str = ""
) -> html.A:
    """Return a link that downloads the numbers of a figure or table."""
    said = text if text.endswith("as CSV") else "Download as CSV"
    return html.A(
        text,
        href=numbers_address(name, chosen) if chosen else f"/numbers/{name}.csv",
        download=f"{name}.csv",
        className=class_name,
        **attributes(aria_label=f"{said}: {label}", data_numbers=name),
    )
