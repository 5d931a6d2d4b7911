"""Tables of numbers, for those who read rather than look."""

from collections.abc import Sequence
from typing import Any

from dva_lens.views.figure import Row

from .attributes import attributes
from .elements import html
from .numbers import number

_MOST_ROWS = 500


def table_of(rows: Sequence[Row], label: str) -> html.Div:
    """Return rows as a table; a very long one is cut, and says so."""
    columns = list(rows[0]) if rows else []
    head = html.Thead(html.Tr([html.Th(column.replace("_", " ")) for column in columns]))
    body = html.Tbody(
        [html.Tr([_cell(row[column]) for column in columns]) for row in rows[:_MOST_ROWS]]
    )
    cut = f" The first {_MOST_ROWS} of {len(rows):,} rows; the CSV holds all."
    caption = html.Caption(label + (cut if len(rows) > _MOST_ROWS else ""))
    return html.Div(
        html.Table([caption, head, body], className="numbers"),
        className="scroll",
        tabIndex="0",
        role="region",
        **attributes(aria_label=f"{label}, as a table"),
    )


def cell_text(value: Any) -> str:
    """Return a value as a table shows it."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return number(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _cell(value: Any) -> html.Td:
    return html.Td(cell_text(value), className="number" if _is_number(value) else "")


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, int | float)
