"""Compare: every model against a baseline, with both estimands and a verdict."""

from typing import Any

from dva_lens.statistics.inference.estimate import Estimate
from dva_lens.views.figure import Row
from dva_lens.views.words import plain

from ...components.meaning import MEANING
from ...library import Library
from ...page import Card, Page, Panel, Words
from ...state import Selection
from .cells import cell_rows, cell_table
from .difference import comparisons, difference_by_depth
from .table import contrast_table


def _table(library: Library, chosen: Selection) -> Any:
    return contrast_table(library.remembered(comparisons)(chosen), library.catalogue)


def _rows(library: Library, chosen: Selection) -> list[Row]:
    return [
        {
            "statistic": one.statistic,
            "model": one.model,
            "baseline": one.baseline,
            "over layers": one.contrast,
            **_estimate("text", one.text),
            "text p adjusted": plain(one.text_adjusted),
            **_estimate("retrained", one.retrained),
            "retrained p adjusted": plain(one.retrained_adjusted),
            "family": "primary" if one.primary else "exploratory",
            "verdict": one.verdict,
        }
        for one in library.remembered(comparisons)(chosen).entries
    ]


def _estimate(name: str, found: Estimate) -> Row:
    parts = {"": found.mean, " low": found.low, " high": found.high, " p": found.p}
    return {f"{name}{part}": plain(value) for part, value in parts.items()}


_PLACES = "The chosen statistic, place by place"
_ALL = "All statistics against the baseline"

PAGE = Page(
    path="/compare",
    name="Compare",
    question="Is the difference real?",
    lead=(
        "Two separate questions: would these checkpoints also differ on other texts, and would "
        "these architectures differ if they were trained again?"
    ),
    menus=("baseline", "statistic", "text"),
    parts=(
        MEANING,
        Panel("difference", "Difference from the baseline by depth", difference_by_depth),
        Card(
            _PLACES,
            (Words("cells", cell_table, label=_PLACES, rows=cell_rows),),
            menus=("by",),
        ),
        Card(_ALL, (Words("contrasts", _table, label=_ALL, rows=_rows),)),
    ),
)
