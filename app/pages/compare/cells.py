"""Models minus the baseline layer by layer or head by head: a table to sort and to filter."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from dva_lens import axes
from dva_lens.results.differences import differences
from dva_lens.statistics.inference.compare import outdone, word_of
from dva_lens.views.figure import Row
from dva_lens.views.words import p_value, plain

from ...components.elements import html
from ...components.links import choice_link
from ...components.numbers import interval, signed
from ...components.sorted_table import SortedColumn, sorted_table
from ...library import Library, NothingToShowError
from ...state import Selection

MOST_ROWS = 600
COLUMNS = (
    SortedColumn("Place", "Model, layer and head", numeric=False),
    SortedColumn("Difference", "Model minus baseline, with its 95 % interval on new text"),
    SortedColumn("A/A", "Baseline against itself: one half of its seeds minus the other half"),
    SortedColumn("p adjusted", "By Benjamini and Hochberg within the statistic and model"),
    SortedColumn("Verdict", "At 5 %; muted where A/A exceeds the difference", numeric=False),
)


@final
@dataclass(frozen=True)
class Cell:
    """One model minus the baseline at one layer, or one head of it; `head` is -1 for a layer."""

    model: str
    layer: int
    head: int
    value: float
    low: float
    high: float
    adjusted: float
    same: float

    @property
    def muted(self) -> bool:
        """Whether halves of the baseline's seeds differ by more."""
        return outdone(self.value, self.same)

    @property
    def word(self) -> str:
        """The verdict on these checkpoints: "higher", "lower" or "undecided"."""
        return "undecided" if self.muted else word_of(self.value, self.adjusted)

    @property
    def place(self) -> str:
        """The layer, or the head of it."""
        return f"L{self.layer}" if self.head < 0 else f"L{self.layer}H{self.head}"


def cells(library: Library, chosen: Selection) -> list[Cell]:
    """Return the chosen statistic of every model minus the baseline, the largest first.

    Raises
    ------
    NothingToShowError
        The statistic has no such places, or no other model has as many of them.
    """
    measure = library.catalogue.measure(chosen.statistic)
    if measure.at == "model":
        raise NothingToShowError(f"{measure.long_name} is one number per text, not per layer.")
    along = (axes.LAYER,) if chosen.by == "layer" else (axes.LAYER, _heads(library, chosen))
    held = library.holding(chosen.text, measure)
    if chosen.baseline not in held.models:
        raise NothingToShowError(f"{chosen.baseline} does not hold {measure.long_name.lower()}.")
    found = differences(held, measure.name, along, baseline=chosen.baseline)
    if not found.sizes[axes.MODEL]:
        raise NothingToShowError(f"No other model has as many {chosen.by}s as {chosen.baseline}.")
    listed: list[Cell] = []
    for model, *at in np.argwhere(np.isfinite(found["value"].values)).tolist():
        value, low, high, adjusted = (
            float(found[name].values[(model, *at)])
            for name in ("value", "low", "high", "adjusted")
        )
        name, same = str(found[axes.MODEL].values[model]), float(found["same"].values[tuple(at)])
        layer, head = (*at, -1)[:2]
        listed.append(Cell(name, layer, head, value, low, high, adjusted, same))
    return sorted(listed, key=lambda one: -abs(one.value))


def _heads(library: Library, chosen: Selection) -> str:
    measure = library.catalogue.measure(chosen.statistic)
    if not measure.per_head:
        raise NothingToShowError(
            f"{measure.long_name} is one number per {measure.at}, so heads do not differ in it; "
            f"compare by layer, or choose another statistic."
        )
    return axes.KV_HEAD if measure.at == "kv_head" else axes.HEAD


def cell_rows(library: Library, chosen: Selection) -> list[Row]:
    """Return the differences as rows of numbers."""
    return [
        {
            "model": one.model,
            "baseline": chosen.baseline,
            "layer": one.layer,
            "head": None if one.head < 0 else one.head,
            **{
                name: plain(getattr(one, name))
                for name in ("value", "low", "high", "adjusted", "same")
            },
            "verdict": one.word,
        }
        for one in cells(library, chosen)
    ]


def cell_table(library: Library, chosen: Selection) -> html.Div:
    """Return the table, which the browser sorts and filters."""
    found = cells(library, chosen)
    measure = library.catalogue.measure(chosen.statistic)
    first = library.catalogue.first_runs
    shown = [_row(one, first[one.model]) for one in found[:MOST_ROWS]]
    cut = f" The {MOST_ROWS} largest of {len(found):,}; the CSV holds all."
    pairs = " Heads are paired by their number, which means nothing between trainings: look, do "
    note = (
        f"{measure.label}: each model minus {chosen.baseline}, text by text, for these "
        f"checkpoints."
        + (f"{pairs}not claim." if chosen.by == "head" else "")
        + (cut if len(found) > MOST_ROWS else "")
    )
    return sorted_table("cells", COLUMNS, shown, note=note)


def _row(one: Cell, run: str) -> list[tuple[Any, Any]]:
    """Return what each column shows, and what it is sorted by."""
    place = choice_link(one.place, path="/heads", run=run, layer=one.layer, head=max(one.head, 0))
    ends: Any = ""
    if np.isfinite(one.low) and one.low < one.high:
        ends = html.Span(interval(one.low, one.high), className="interval")
    difference = [html.Span(signed(one.value), className="mean"), ends]
    quiet = "verdict muted" if one.muted else f"verdict {one.word}"
    said = f"{one.word} (seeds of the baseline differ by more)" if one.muted else one.word
    return [
        ([html.Span(f"{one.model} ", className="who"), place], f"{one.model} {one.place}"),
        (difference, one.value),
        (signed(one.same) if np.isfinite(one.same) else "–", one.same),
        (p_value(one.adjusted), one.adjusted),
        (html.Span(said, className=quiet), one.word),
    ]
