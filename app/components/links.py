"""Links to the numbers behind figures and tables."""

from dash import html

from ..selection import Selection
from .attributes import attributes


def csv_address(name: str, chosen: Selection) -> str:
    """Return where the numbers of a figure or table are served."""
    return f"/numbers/{name}.csv?{chosen.to_query()}"


def csv_link(name: str, chosen: Selection) -> html.A:
    """Return a link that downloads a table."""
    return html.A(
        "Download as CSV",
        href=csv_address(name, chosen),
        download=f"{name}.csv",
        **attributes(aria_label=f"Download as CSV: {name}"),
    )
