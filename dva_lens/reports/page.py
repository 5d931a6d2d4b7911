"""What a report is made of: sections of words, figures and tables, as plain data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from dva_lens.views.figure import Figure, bare
from dva_lens.views.rows import as_table

Cell = str | int | float | None


@final
@dataclass(frozen=True)
class Text:
    """A paragraph; `kind` is "note" for a caveat set apart from the text."""

    words: str
    kind: str = "text"


@final
@dataclass(frozen=True)
class Points:
    """A list of findings or facts: what each is about in bold, then what there is to say."""

    entries: tuple[tuple[str, str], ...]


@final
@dataclass(frozen=True)
class Chart:
    """A figure of `dva_lens.views` with the name of its files and links; `height` in pixels.

    A wide chart is scrolled sideways on a narrow screen instead of being squeezed.
    """

    name: str
    figure: Figure
    height: int = 400
    wide: bool = False

    @property
    def table(self) -> "DataTable":
        """The numbers of the figure."""
        _, title, _ = bare(self.figure)
        return DataTable.of(self.name, title, as_table(self.figure))


@final
@dataclass(frozen=True)
class DataTable:
    """Rows with named columns; numbers stand to the right."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""

    @classmethod
    def of(
        cls, name: str, title: str, rows: Sequence[dict[str, Any]], caption: str = ""
    ) -> "DataTable":
        """Make a table of rows that are mappings; the first row names the columns."""
        columns = tuple(rows[0]) if rows else ()
        cells = tuple(tuple(row.get(column) for column in columns) for row in rows)
        return cls(name, title, columns, cells, caption)


@final
@dataclass(frozen=True)
class GlossaryEntry:
    """How a number is defined: words, formula (LaTeX), source, and what misleads its readers."""

    name: str
    title: str
    meaning: str
    formula: str
    details: tuple[tuple[str, str], ...]


@final
@dataclass(frozen=True)
class Folded:
    """Parts that show when asked for."""

    title: str
    parts: tuple["Part", ...]


Part = Text | Points | Chart | DataTable | GlossaryEntry | Folded


@final
@dataclass(frozen=True)
class Section:
    """A heading with its parts; `name` is its link."""

    name: str
    title: str
    parts: tuple[Part, ...]


@final
@dataclass(frozen=True)
class Report:
    """A page: what it is called, what it is about, facts at a glance, and sections."""

    title: str
    lede: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


def charts_of(report: Report) -> tuple[Chart, ...]:
    """Return all charts of a report, in order."""
    return tuple(part for part in _all_parts(report) if isinstance(part, Chart))


def tables_of(report: Report) -> tuple[DataTable, ...]:
    """Return all tables of a report, in order; those of charts are not among them."""
    return tuple(part for part in _all_parts(report) if isinstance(part, DataTable))


def _all_parts(report: Report) -> list[Part]:
    return [part for section in report.sections for part in _flat(section.parts)]


def _flat(parts: Sequence[Part]) -> list[Part]:
    found: list[Part] = []
    for part in parts:
        found += _flat(part.parts) if isinstance(part, Folded) else [part]
    return found
