"""Tables that the browser sorts by a column and filters by words (`assets/tables.js`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from .attributes import attributes
from .elements import html
from .links import numbers_link


@final
@dataclass(frozen=True)
class SortedColumn:
    """A column: its heading, and what the heading says when it is pointed at."""

    name: str
    title: str = ""
    numeric: bool = True


def sorted_table(
    name: str,
    columns: Sequence[SortedColumn],
    rows: Sequence[Sequence[tuple[Any, Any]]],
    *,
    note: str,
) -> html.Div:
    """Return rows of (what is shown, what it is sorted by) as a table.

    The first column stays in sight. `name` is that of the CSV. The browser adds the field to
    filter by.
    """
    head = html.Thead(html.Tr([_heading(column, at) for at, column in enumerate(columns)]))
    body = html.Tbody([html.Tr([_cell(*pair, at) for at, pair in enumerate(row)]) for row in rows])
    return html.Div(
        [
            html.P([note, " ", numbers_link("Download as CSV", name, label=note)],
                   className="caption"),
            html.Div(
                html.Span(f"{len(rows):,} rows", className="filter-count", role="status"),
                className="filter",
            ),
            html.Div(
                html.Table([head, body], className="numbers sorted"),
                className="scroll tall",
                tabIndex="0",
                role="region",
                **attributes(aria_label=note),
            ),
        ],
        className="sorted-table",
    )  # fmt: skip


def _heading(column: SortedColumn, at: int) -> html.Th:
    sorts = html.Button(column.name, type="button", className="sort", **attributes(data_sort=at))
    kind = "number" if column.numeric else ""
    return html.Th(sorts, scope="col", title=column.title, className=kind)


def _cell(shown: Any, by: Any, at: int) -> html.Td | html.Th:
    value = attributes(data_value=str(by))
    if not at:
        return html.Th(shown, scope="row", **value)
    return html.Td(shown, className="number" if isinstance(by, float) else "word", **value)
