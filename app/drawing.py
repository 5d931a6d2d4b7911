"""The figures of the explorer: what each draws, and which part of a selection it depends on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, final

import plotly.graph_objects as go

from dva_lens.views import as_table, bare
from dva_lens.views.figure import Row

from . import contrast, figures, history, single, values
from .queries import Library, NothingToShowError
from .selection import Selection
from .settle import settle

Draw = Callable[[Library, Selection], go.Figure]
Mark = Callable[[Library, Selection], list[dict[str, Any]]]
REFUSALS = (NothingToShowError, KeyError, ValueError)
"""How the library says, in one sentence, that a figure cannot be drawn."""


@final
@dataclass(frozen=True)
class Panel:
    """One figure of a page.

    `uses` names the fields of a selection that change it. `mark`, if there is one, returns the
    shapes that show the chosen head, so that choosing another redraws nothing.
    """

    label: str
    height: int
    uses: tuple[str, ...]
    draw: Draw
    mark: Mark | None = None
    hint: str = ""


@final
@dataclass(frozen=True)
class Shown:
    """A panel as a page shows it; `missing` says why there is no drawing."""

    drawing: dict[str, Any]
    title: str
    caption: str
    rows: Sequence[Row]
    missing: str = ""


_RUN = ("run", "probe", "span")

PANELS: dict[str, Panel] = {
    "depth": Panel(
        label="Depth profile of every model",
        height=380,
        uses=("probe", "statistic", "span"),
        draw=figures.depth_by_model,
        hint="Click a point to see the heads of that layer.",
    ),
    "head-map": Panel(
        label="Map of layers by heads",
        height=420,
        uses=(*_RUN, "statistic"),
        draw=figures.head_map,
        mark=figures.mark_in_map,
        hint="Click a cell, or use the arrow keys, to choose a head.",
    ),
    "head-spans": Panel(
        label="The chosen head by visible keys",
        height=380,
        uses=("run", "probe", "statistic", "layer", "head"),
        draw=single.head_profile,
    ),
    "head-scatter": Panel(
        label="Every head by two statistics",
        height=400,
        uses=(*_RUN, "statistic", "other"),
        draw=figures.head_scatter,
        mark=figures.mark_in_scatter,
        hint="Click a point to choose its head.",
    ),
    "loss": Panel(
        label="Loss during training",
        height=380,
        uses=(),
        draw=history.loss,
    ),
    "history": Panel(
        label="The statistic during training",
        height=380,
        uses=("probe", "statistic", "span"),
        draw=history.statistic,
    ),
    "difference": Panel(
        label="Difference from the baseline by depth",
        height=380,
        uses=("probe", "statistic", "span", "baseline"),
        draw=contrast.difference_by_depth,
    ),
    "value-sources": Panel(
        label="Where the values of every layer come from",
        height=380,
        uses=("run", "probe"),
        draw=values.sources,
    ),
    "drains": Panel(
        label="The first key's value beside the median",
        height=380,
        uses=("probe",),
        draw=values.drains,
    ),
    "dynamism": Panel(
        label="How much values differ between queries",
        height=380,
        uses=("probe",),
        draw=values.dynamism,
    ),
    "tokens": Panel(
        label="One text, token by token",
        height=360,
        uses=("run", "probe", "statistic", "sequence", "layer"),
        draw=figures.token_lane,
    ),
}


def show(name: str, library: Library, chosen: Selection) -> Shown:
    """Draw a panel, or say in one sentence why it cannot be drawn."""
    panel = PANELS[name]
    shown = _drawn(name, library, _reduced(chosen, panel.uses))
    if shown.missing or panel.mark is None:
        return shown
    layout = shown.drawing["layout"]
    shapes = [*layout.get("shapes", ()), *panel.mark(library, chosen)]
    return replace(shown, drawing={**shown.drawing, "layout": {**layout, "shapes": shapes}})


@lru_cache(maxsize=512)
def _drawn(name: str, library: Library, chosen: Selection) -> Shown:
    """Draw a panel without the mark of the chosen head; what was drawn is remembered."""
    panel = PANELS[name]
    try:
        figure = panel.draw(library, chosen)
    except REFUSALS as refusal:
        return Shown({"data": [], "layout": {}}, panel.label, "", (), missing=sentence(refusal))
    drawing, title, caption = bare(figure)
    return Shown(settle(drawing, panel.height), title, caption, as_table(figure))


def _reduced(chosen: Selection, uses: tuple[str, ...]) -> Selection:
    """Keep the fields that a panel uses, so that it is drawn once whatever the others are."""
    unused = {name: type(value)() for name, value in vars(chosen).items() if name not in uses}
    return chosen.but(**unused)


def sentence(refusal: BaseException) -> str:
    """Return what a refusal says, without the quotes that a KeyError puts around it."""
    return str(refusal.args[0]) if refusal.args else type(refusal).__name__
