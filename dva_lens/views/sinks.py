"""The sink rate as a curve over its threshold, so that no single threshold decides."""

from dva_lens import axes
from dva_lens.results.entries import PUBLISHED_THRESHOLD
from dva_lens.views import lines, theme, words
from dva_lens.views.conditions import Runs, conditions, label_of, title_of
from dva_lens.views.figure import Figure, compose
from dva_lens.views.lines import Line
from dva_lens.views.readings import reading, reference
from dva_lens.views.view import View

SINK_RATE = "sink_rate"


def sink_curve(data: Runs) -> Figure:
    """Draw the share of heads with a sink against the threshold ε; ε = 0.3 is published."""
    found = conditions(data, SINK_RATE)
    drawn = [
        Line(
            condition,
            condition.first(SINK_RATE)[axes.THRESHOLD].values,
            reading(condition, SINK_RATE, (axes.THRESHOLD,)),
            reference(condition, SINK_RATE, (axes.THRESHOLD,)),
        )
        for condition in found
    ]
    variable = found[0].first(SINK_RATE)
    references = lines.draw_references(drawn)
    caption = (
        "Share of heads and texts whose first key holds more than ε of the attention. "
        + words.estimand(found, (line.reading for line in drawn))
        + words.dotted(bool(references), str(variable.attrs.get("why_no_reference", "")))
    )
    return compose(
        [*references, *(trace for line in drawn for trace in lines.draw(line))],
        title=f"{title_of(variable)} by threshold",
        caption=caption,
        rows=lines.rows(drawn, "threshold"),
        layout={
            "xaxis": theme.axis("Threshold ε"),
            "yaxis": theme.axis(label_of(variable), rangemode="tozero", tickformat=".0%"),
            "hovermode": "x unified",
            "shapes": [_published_line()],
            "annotations": [_published_note()],
        },
    )


def _published_line() -> dict[str, object]:
    return {
        "type": "line",
        "x0": PUBLISHED_THRESHOLD,
        "x1": PUBLISHED_THRESHOLD,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "layer": "below",
        "line": {"color": theme.REFERENCE, "width": 1},
    }


def _published_note() -> dict[str, object]:
    return {
        "x": PUBLISHED_THRESHOLD,
        "y": 1,
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "top",
        "xshift": 5,
        "text": f"published ε = {PUBLISHED_THRESHOLD}",
        "showarrow": False,
        "font": {"size": 12, "color": theme.REFERENCE},
    }


VIEW = View(
    sink_curve,
    "Sink rate by threshold",
    "How many heads have a sink?",
    needs=(SINK_RATE,),
    section="sinks",
)
