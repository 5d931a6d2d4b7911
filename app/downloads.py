"""The numbers of figures and tables, as rows to take along."""

from collections.abc import Callable, Sequence

from dva_lens.statistics.inference.estimate import Estimate
from dva_lens.views.figure import Row
from dva_lens.views.words import plain

from .contrast import comparisons
from .headline import headline
from .panels import PANELS, show
from .queries import Library, NothingToShowError
from .selection import Selection

Taken = tuple[tuple[str, ...], Sequence[Row]]


def take(name: str, library: Library, chosen: Selection) -> Taken:
    """Return what is said of a figure or table, and its rows; refuse where it cannot be shown."""
    if name in TABLES:
        title, rows_of = TABLES[name]
        return (title,), rows_of(library, chosen)
    shown = show(name, library, chosen)
    if shown.missing:
        raise NothingToShowError(shown.missing)
    return (shown.title, shown.caption), shown.rows


def headline_rows(library: Library, chosen: Selection) -> list[Row]:
    """Return every measure of every model, one row each."""
    return [
        {
            "statistic": line.measure.name,
            "units": line.measure.units,
            "model": model,
            "value": plain(found.mean),
            "low": plain(found.low),
            "high": plain(found.high),
            "reference": plain(line.uniform),
        }
        for line in library.remembered(headline, chosen.probe, chosen.span)
        for model, found in line.numbers.items()
    ]


def contrast_rows(library: Library, chosen: Selection) -> list[Row]:
    """Return every measure of every model minus the baseline, with both estimands."""
    found = library.remembered(comparisons, chosen.probe, chosen.span, chosen.baseline)
    return [
        {
            "statistic": measure.name,
            "units": measure.units,
            "model": one.arm,
            "baseline": one.baseline,
            "over layers": one.contrast,
            **_estimate("text", one.text),
            "text p adjusted": plain(one.text_adjusted),
            **_estimate("retrained", one.retrained),
            "retrained p adjusted": plain(one.retrained_adjusted),
            "verdict": one.verdict,
        }
        for measure, ones in found
        for one in ones
    ]


def _estimate(name: str, found: Estimate) -> Row:
    parts = {"": found.mean, " low": found.low, " high": found.high, " p": found.p}
    return {f"{name}{part}": plain(value) for part, value in parts.items()}


TABLES: dict[str, tuple[str, Callable[[Library, Selection], list[Row]]]] = {
    "headline": ("All statistics of all models", headline_rows),
    "contrasts": ("All statistics, held against the baseline", contrast_rows),
}
NAMES = (*PANELS, *TABLES)
