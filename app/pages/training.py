"""Training: how loss fell, and when a statistic moved."""

import plotly.graph_objects as go
import xarray as xr

from dva_lens import axes, views
from dva_lens.views import lines, theme, words
from dva_lens.views.arms import Arm, label_of
from dva_lens.views.figure import compose
from dva_lens.views.lines import Line
from dva_lens.views.readings import reading, reference

from ..components.meaning import MEANING
from ..library import Library, NothingToShowError, spans_of
from ..page import Page, Panel
from ..state import Selection

_AT = "measured_step"


def _loss(library: Library, chosen: Selection) -> go.Figure:  # noqa: ARG001  as all figures
    """Draw the losses of every run against tokens."""
    found: dict[str, list[xr.Dataset]] = {}
    for run in library.catalogue.runs:
        if (log := library.training_or_none(run.name)) is not None:
            found.setdefault(run.model, []).append(log.assign_attrs(seed=run.seed))
    if not found:
        raise NothingToShowError("No run of this archive kept a training log.")
    return views.training_curves(found)


def _statistic(library: Library, chosen: Selection) -> go.Figure:
    """Draw the chosen statistic, averaged over layers and heads, against training steps."""
    measure = library.catalogue.measure(chosen.statistic)
    models = library.histories(chosen.text, measure.name)
    place = theme.places(models)
    drawn = []
    for model, runs in models.items():
        colour, symbol = theme.PALETTE[place[model]], theme.SYMBOLS[place[model]]
        arm = Arm(model, tuple(run.rename({axes.STEP: _AT}) for run in runs), colour, symbol)
        spans = spans_of(measure, chosen.span)
        steps = runs[0][axes.STEP].values.astype(float)
        read = reading(arm, measure.name, (_AT,), spans=spans)
        drawn.append(Line(arm, steps, read, reference(arm, measure.name, (), spans=spans)))
    dotted = lines.draw_references(drawn)
    arms = [line.arm for line in drawn]
    caption = (
        "Mean over layers, heads and texts at each step that was measured. "
        + words.estimand(arms, [line.reading for line in drawn])
    )
    return compose(
        [*dotted, *(trace for line in drawn for trace in lines.draw(line))],
        title=f"{measure.long_name} during training",
        caption=caption + words.dotted(bool(dotted), measure.why_no_reference),
        rows=lines.rows(drawn, "step"),
        layout={
            "xaxis": theme.axis("Training step", rangemode="tozero"),
            "yaxis": theme.axis(label_of(drawn[0].arm.first(measure.name))),
            "hovermode": "x unified",
        },
    )


PAGE = Page(
    path="/training",
    name="Training",
    question="When in training does it happen?",
    lead=(
        "Models that learn at different speeds differ at any step for that reason alone: read "
        "the statistic beside the loss."
    ),
    menus=("statistic", "span", "text"),
    parts=(
        MEANING,
        Panel("history", "The statistic during training", _statistic),
        Panel("loss", "Loss during training", _loss),
    ),
)
