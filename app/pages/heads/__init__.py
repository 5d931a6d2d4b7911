"""Heads: which heads of one model stand out, and what one of them does."""

from typing import Any

from ...components.elements import html
from ...components.meaning import MEANING
from ...components.numbers import number
from ...library import Library
from ...page import Card, Columns, Page, Panel, Words
from ...state import Selection
from .figures import head_map, head_scatter, mark_in_map, mark_in_scatter
from .inspector import finder, head_numbers, head_title
from .profile import head_profile
from .ranking import rank_of, ranks
from .texts import text_list, text_rows


def _head(library: Library, chosen: Selection) -> Any:
    measure = library.catalogue.measure(chosen.statistic)
    rank, uniform = rank_of(library, chosen, measure), float("nan")
    if rank is not None:
        uniform = library.level(chosen.run, chosen.text, measure.name, chosen.span)
    return head_title(chosen, measure, rank, uniform)


def _numbers(library: Library, chosen: Selection) -> Any:
    measures = library.catalogue.head_measures
    found = [(measure, rank_of(library, chosen, measure)) for measure in measures]
    return head_numbers(found, chosen.statistic)


def _finder(library: Library, chosen: Selection) -> Any:
    measure = library.catalogue.measure(chosen.statistic)
    return finder(ranks(library, chosen, measure), chosen, measure)


def _brushed(library: Library, chosen: Selection) -> html.P:
    """Return the place where the browser says which heads are marked."""
    del library, chosen
    return html.P("", className="caption brush-said", role="status")


def spoken(library: Library, chosen: Selection) -> str:
    """Return what is said aloud about the chosen head."""
    measure = library.catalogue.measure(chosen.statistic)
    rank = rank_of(library, chosen, measure) if measure.per_head else None
    head = f"Layer {chosen.layer}, head {chosen.head}"
    if rank is None:
        return f"{head}: no {measure.long_name.lower()}."
    return f"{head}: {measure.long_name.lower()} {number(rank.value)}, {rank.place} of {rank.of}."


_MAP = Panel(
    "head-map",
    "Map of layers by heads",
    head_map,
    height=420,
    mark=mark_in_map,
    click="cell",
    keys=True,
    hint="Click a cell, or use the arrow keys, to choose a head.",
)
_SCATTER = Panel(
    "head-scatter",
    "Every head by two statistics",
    head_scatter,
    height=400,
    mark=mark_in_scatter,
    click="point",
    hint=(
        "Click a point to choose its head; draw a loop around points to mark their heads in the "
        "map, the list and the lines, double-click to free them."
    ),
    menus=("other",),
)

_TEXTS = "Texts of this head"

PAGE = Page(
    path="/heads",
    name="Heads",
    question="Which heads stand out?",
    lead=(
        "Every cell of the map is one attention head of one trained model. Choose one to see its "
        "numbers, its rank, and whether they hold at every context length."
    ),
    menus=("run", "statistic", "span", "text"),
    parts=(
        MEANING,
        Columns(
            (
                (
                    _MAP,
                    Panel("head-spans", "The chosen head by visible keys", head_profile),
                    Card(_TEXTS, (Words("head-texts", text_list, label=_TEXTS, rows=text_rows),)),
                ),
                (
                    Card(
                        "The chosen head",
                        (Words("head", _head), Words("numbers", _numbers)),
                        spoken=True,
                    ),
                    Card("Find a head", (Words("finder", _finder),), menus=("order",)),
                ),
            )
        ),
        _SCATTER,
        Words("brushed", _brushed),
    ),
    about="heads",
    announce=spoken,
)
