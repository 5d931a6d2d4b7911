"""How the cells of a table read: as many decimals as a column needs, numbers to the right."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

from dva_lens.reports.page import Cell, DataTable


@final
@dataclass(frozen=True)
class Column:
    """A column as it is shown: its name, whether it holds numbers, and how many decimals."""

    name: str
    is_number: bool
    decimals: int | None


def columns_of(table: DataTable) -> tuple[Column, ...]:
    """Return how the columns of a table are shown."""
    held = [[row[at] for row in table.rows] for at in range(len(table.columns))]
    return tuple(
        Column(name, _is_number(cells), _decimals(cells))
        for name, cells in zip(table.columns, held, strict=True)
    )


def rows_of(table: DataTable) -> Iterator[list[tuple[Column, str]]]:
    """Yield the rows of a table: each cell as a person reads it, with its column."""
    columns = columns_of(table)
    for row in table.rows:
        yield [
            (column, shown_cell(cell, column.decimals))
            for column, cell in zip(columns, row, strict=True)
        ]


def shown_cell(cell: Cell, decimals: int | None = None) -> str:
    """Return a cell as a person reads it, with as many decimals as its column has."""
    if cell is None or cell != cell:
        return "–"
    if isinstance(cell, bool) or not isinstance(cell, (int, float)):
        return str(cell)
    if isinstance(cell, int) or cell == 0:
        shown = f"{cell:,.0f}"
    else:
        shown = f"{cell:.3e}" if decimals is None else f"{cell:,.{decimals}f}"
    return shown.replace("-", "−", 1) if cell < 0 else shown


def _decimals(cells: Iterable[Cell]) -> int | None:
    """Return the decimals that give the largest of a column four digits, None if it is tiny."""
    sizes = [abs(cell) for cell in cells if isinstance(cell, float) and math.isfinite(cell)]
    largest = max(sizes, default=0.0)
    if largest == 0:
        return 0
    places = 3 - math.floor(math.log10(largest))
    return None if places > 6 else max(0, places)


def _is_number(cells: Iterable[Cell]) -> bool:
    held = [cell for cell in cells if cell is not None]
    return bool(held) and all(isinstance(cell, (int, float)) for cell in held)
