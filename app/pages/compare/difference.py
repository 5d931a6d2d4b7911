"""Models minus a baseline on the same texts: by depth to explore, and as `compare` compares."""

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from dva_lens import axes
from dva_lens.results.compare import Comparisons, compare
from dva_lens.results.differences import differences
from dva_lens.results.same_text import same_text
from dva_lens.statistics.table import PRIMARY
from dva_lens.views import lines, theme, words
from dva_lens.views.conditions import Condition, conditions
from dva_lens.views.figure import compose
from dva_lens.views.lines import Line
from dva_lens.views.readings import Reading

from ...catalogue import Measure
from ...library import Library, NothingToShowError
from ...state import Selection


def difference_by_depth(library: Library, chosen: Selection) -> go.Figure:
    """Draw every model minus the baseline in the chosen statistic, layer by layer."""
    measure = library.catalogue.measure(chosen.statistic)
    drawn = _lines(library, chosen, measure)
    first = drawn[0]
    unit = "" if measure.units in ("", "1") else f" [{measure.units}]"
    zero = lines.dotted(
        first.x, np.zeros(len(first.x)), name=f"no difference from {theme.escape(chosen.baseline)}"
    )
    return compose(
        [zero, *(trace for line in drawn for trace in lines.draw(line))],
        title=f"{measure.long_name}: difference from {chosen.baseline}, by depth",
        caption=(
            f"Each model minus {chosen.baseline}, paired text by text, mean over heads and seeds. "
            + words.estimand(
                [line.condition for line in drawn], [line.reading for line in drawn], single=""
            )
            + " It does not cover retraining."
        ),
        rows=lines.rows(drawn, "layer"),
        layout={
            "xaxis": theme.axis("Layer", dtick=max(1, len(first.x) // 12)),
            "yaxis": theme.axis(theme.escape(f"Difference{unit}")),
            "hovermode": "x unified",
        },
    )


def _lines(library: Library, chosen: Selection, measure: Measure) -> list[Line]:
    if measure.at == "model":
        raise NothingToShowError(f"{measure.long_name} is one number per text, not per layer.")
    held = library.holding(chosen.text, measure)
    if chosen.baseline not in held.models:
        raise NothingToShowError(f"{chosen.baseline} does not hold {measure.long_name.lower()}.")
    difference = differences(held, measure.name, baseline=chosen.baseline)
    names = held.values(measure.name)[axes.DOCUMENT].values
    texts = names.shape[-1], len(set(map(str, names.ravel())))
    drawn = [
        _line(condition, difference.sel({axes.MODEL: condition.label}), texts)
        for condition in conditions(held, measure.name)
        if condition.label in difference[axes.MODEL].values
    ]
    if not drawn:
        raise NothingToShowError(
            f"No other model has as many layers as {chosen.baseline}; the table below "
            f"compares models of any depth."
        )
    return drawn


def _line(condition: Condition, one: xr.Dataset, texts: tuple[int, int]) -> Line:
    value, low, high = (one[name].values for name in ("value", "low", "high"))
    read = Reading(value, low, high, value[None], *texts)
    return Line(condition, one[axes.LAYER].values, read)


def comparisons(library: Library, chosen: Selection) -> Comparisons:
    """Return what `dva-lens compare` says of a text: the primary statistics, then all others.

    Raises
    ------
    NothingToShowError
        The text was measured for no second model, or not for the baseline.
    """
    measured = library.as_measured(chosen.text)
    if chosen.baseline not in measured.models or len(measured.models) < 2:
        raise NothingToShowError(
            f"There is no other model to compare with {chosen.baseline} on “{chosen.text}”."
        )
    same = same_text(measured)
    further = dict.fromkeys(measure.variable for measure in library.catalogue.layer_measures)
    others = [
        name
        for name in further
        if name not in PRIMARY and name in measured.statistics and not same.refusal(measured, name)
    ]
    return compare(measured, chosen.baseline, others)
