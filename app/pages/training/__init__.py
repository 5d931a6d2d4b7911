"""Training: how loss fell, and when a statistic moved."""

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go

from dva_lens import axes, views
from dva_lens.results.estimates import estimate, mean_of
from dva_lens.views import lines, theme, words
from dva_lens.views.conditions import conditions, label_of
from dva_lens.views.figure import compose
from dva_lens.views.lines import Line

from ...components.meaning import MEANING
from ...estimates import of_model, reading_of
from ...library import Library, NothingToShowError, spans_of
from ...page import Card, Page, Panel, Words
from ...state import Selection
from ..heads.figures import mark_in_map
from .onsets import onset_rows, onset_table
from .scrubber import scrubber, step_map


def _loss(library: Library, chosen: Selection) -> go.Figure:
    """Draw the losses of the runs that were measured on the text, against tokens."""
    found = library.trainings(chosen.text)
    if not found:
        raise NothingToShowError(f"No run on “{chosen.text}” kept a training log.")
    return views.training_curves(found)


def _statistic(library: Library, chosen: Selection) -> go.Figure:
    """Draw the chosen statistic, averaged over layers and heads, against training steps."""
    drawn = _lines(library, chosen)
    measure = library.catalogue.measure(chosen.statistic)
    dotted = lines.draw_references(drawn)
    caption = (
        "Mean over layers, heads and texts at each step that was measured. "
        + words.estimand([line.condition for line in drawn], [line.reading for line in drawn])
    )
    return compose(
        [*dotted, *(trace for line in drawn for trace in lines.draw(line))],
        title=f"{measure.long_name} during training",
        caption=caption + words.dotted(bool(dotted), measure.why_no_reference),
        rows=lines.rows(drawn, "step"),
        layout={
            "xaxis": theme.axis("Training step", rangemode="tozero"),
            "yaxis": theme.axis(label_of(drawn[0].condition.first(measure.name))),
            "hovermode": "x unified",
        },
    )


def _lines(library: Library, chosen: Selection) -> list[Line]:
    measure = library.catalogue.measure(chosen.statistic)
    held = library.history(chosen.text).holding(measure.name)
    if not held.parts:
        raise NothingToShowError(
            f"{measure.long_name} was not measured on “{chosen.text}” during training; choose "
            f"another statistic or text."
        )
    spans = spans_of(measure, chosen.span) or "all"
    values = held.values(measure.name, moment="every", spans=spans)
    found = estimate(values, (axes.STEP,))
    level = held.reference(measure.name, moment="every", spans=spans)
    levels = None if level is None else mean_of(level, (axes.MODEL,))
    drawn = []
    for condition in conditions(held, measure.name):
        one = of_model(found, condition.label)
        one = one.isel({axes.STEP: np.isfinite(one["value"].values)})
        uniform = None if levels is None else levels.sel({axes.MODEL: condition.label}).values
        drawn.append(
            Line(replace(condition, step=""), one[axes.STEP].values, reading_of(one), uniform)
        )
    return drawn


_ONSETS = "When sinks appear"

PAGE = Page(
    path="/training",
    name="Training",
    question="When in training does it happen?",
    lead=(
        "Models that learn at different speeds differ at any given step for that reason alone, so "
        "read the statistic together with the loss."
    ),
    menus=("statistic", "span", "text"),
    parts=(
        MEANING,
        Panel("history", "The statistic during training", _statistic),
        Card("Step", (Words("scrubber", scrubber),), spoken=True),
        Panel(
            "training-map",
            "Every head, step by step",
            step_map,
            height=400,
            mark=mark_in_map,
            click="cell",
            keys=True,
            hint="Click a cell, or use the arrow keys, to choose a head.",
            menus=("run",),
        ),
        Card(_ONSETS, (Words("onsets", onset_table, label=_ONSETS, rows=onset_rows),)),
        Panel("loss", "Loss during training", _loss),
    ),
)
