"""A single head: its statistic by visible keys, or text by text where it has no spans."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.estimates import estimate, mean_of
from dva_lens.results.reader import Measurements
from dva_lens.results.shares import documents_of
from dva_lens.views import lines, theme, words
from dva_lens.views.conditions import Condition, conditions
from dva_lens.views.figure import Drawing, drawing, plain
from dva_lens.views.lines import Line

from ...catalogue import Measure
from ...estimates import reading_of
from ...library import Library
from ...state import Selection
from .figures import of_run


def head_profile(library: Library, chosen: Selection) -> Drawing:
    """Draw the chosen statistic of the chosen head, before the other heads of its layer."""
    measure, held = of_run(library, chosen)
    (condition,) = conditions(held, measure.name)
    if not measure.spans:
        return plain(_by_text(condition, held, measure, chosen))
    found = library.by_span(chosen.run, chosen.text, measure.name)
    return plain(_by_span(condition, found, measure, chosen))


def _by_span(
    condition: Condition, found: xr.Dataset, measure: Measure, chosen: Selection
) -> Drawing:
    layer = found.sel({axes.LAYER: chosen.layer})
    spans = layer[axes.SPAN].values
    x, labels = 2.0**spans, [axes.span_label(int(span)) for span in spans]
    uniform = layer["uniform"].values if "uniform" in layer else None
    line = Line(condition, x, reading_of(layer.sel({axes.HEAD: chosen.head})), uniform)
    others = layer["value"].values
    dotted = lines.draw_references([line])
    rest = {head: row for head, row in enumerate(others) if head != chosen.head}
    faint = [_faint(x, rest)] if rest else []
    caption = words.estimand([condition], [line.reading]) + words.dotted(
        bool(dotted), measure.why_no_reference
    )
    return drawing(
        _without_legend([*faint, *dotted, *_named(lines.draw(line), chosen)]),
        title=f"{measure.long_name} by visible keys",
        caption=_faint_words(len(rest)) + caption,
        rows=lines.rows([line], "visible_keys", labels),
        layout={
            "xaxis": theme.axis("Visible keys", type="log", tickvals=x, ticktext=labels),
            "yaxis": theme.axis(theme.escape(measure.label)),
            "hovermode": "x unified",
        },
    )


def _by_text(
    condition: Condition, held: Measurements, measure: Measure, chosen: Selection
) -> Drawing:
    found = held.values(measure.name).isel({axes.MODEL: 0, axes.SEED: 0})
    found = found.sel({axes.LAYER: chosen.layer, axes.HEAD: chosen.head})
    values, documents = found.values, [str(name) for name in documents_of(found)]
    mean = reading_of(estimate(found).isel({axes.MODEL: 0}))
    reference = held.reference(measure.name)
    level = None if reference is None else float(mean_of(_of_layer(reference, chosen)))
    x = np.arange(len(values))
    marks = {
        "type": "scatter",
        "mode": "markers",
        "x": x,
        "y": values,
        "marker": {"color": condition.look.colour, "symbol": condition.look.symbol, "size": 8},
        "text": [theme.escape(name) for name in documents],
        "hovertemplate": "text %{x} (%{text}): %{y:.3g}<extra></extra>",
    }
    ends = x[[0, -1]]
    across = {
        "type": "scatter",
        "mode": "lines",
        "x": ends,
        "y": [float(mean.value)] * 2,
        "line": {"color": condition.look.colour, "width": 2},
        "hovertemplate": "mean %{y:.3g}<extra></extra>",
    }
    dotted = [] if level is None else [lines.dotted(ends, [level] * 2)]
    numbers = words.shown(float(mean.value), float(mean.low), float(mean.high))
    return drawing(
        _without_legend([*dotted, across, marks]),
        title=f"{measure.long_name}, text by text",
        caption=(
            f"One mark per text; the line is their mean, {numbers}. "
            + words.estimand([condition], [mean], mark="Brackets")
            + words.dotted(level is not None, measure.why_no_reference)
        ),
        rows=[
            {"sequence": at, "document": name, "value": words.plain(value)}
            for at, (name, value) in enumerate(zip(documents, values, strict=True))
        ],
        layout={
            "xaxis": theme.axis("Text", **({"dtick": 1} if len(x) <= _FEW else {})),
            "yaxis": theme.axis(theme.escape(measure.label)),
            "hovermode": "closest",
        },
    )


_FEW = 16


def _faint(x: np.ndarray, rows: Mapping[int, np.ndarray]) -> dict[str, Any]:
    """Return the lines of heads as one trace with gaps, which draws faster than one for each.

    `meta` says whose lines they are, for the browser to mark some.
    """
    gap = [np.nan]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": np.concatenate([[*x, *gap] for _ in rows]),
        "y": np.concatenate([[*row, *gap] for row in rows.values()]),
        "meta": {"heads": list(rows)},
        "connectgaps": False,
        "line": {"color": theme.REFERENCE, "width": 1},
        "opacity": 0.45,
        "hoverinfo": "skip",
    }


def _of_layer(level: xr.DataArray, chosen: Selection) -> xr.DataArray:
    return level.sel({axes.LAYER: chosen.layer}) if axes.LAYER in level.dims else level


def _faint_words(count: int) -> str:
    return "Faint: the other heads of the layer. " if count else ""


def _named(traces: list[dict[str, Any]], chosen: Selection) -> list[dict[str, Any]]:
    name = f"layer {chosen.layer}, head {chosen.head}"
    return [{**trace, "name": name} for trace in traces]


def _without_legend(traces: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**trace, "showlegend": False} for trace in traces]
