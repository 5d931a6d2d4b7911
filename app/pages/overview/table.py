"""The table a reader meets first: every statistic of every model, with intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dva_lens.views import theme

from ...components.attributes import attributes
from ...components.elements import html
from ...components.links import choice_link, numbers_link
from ...components.numbers import interval, number
from .headline import HeadlineRow, Number

Row = tuple[str, str, Mapping[str, str]]
"""A title, a unit, and a text for each model."""

CAPTION = (
    "Mean over layers, heads, texts and seeds; below it the 95 % interval for these checkpoints "
    "on new text. Click a statistic to see it by depth, a model to see its heads."
)


def headline_table(
    lines: Sequence[HeadlineRow],
    statistic: str,
    *,
    first_run: Mapping[str, str],
    costs: Sequence[Row],
    conditions: Sequence[Row] = (),
) -> html.Div:
    """Return models by statistics: costs, measures with intervals, and how they were measured.

    `statistic` is the chosen one, `first_run` names the run that a model's heading leads to;
    `costs` and `conditions` are rows of ready text.
    """
    models = list(first_run)
    colours = {model: look.colour for model, look in theme.looks(models).items()}
    heads = [_heading(model, colours[model], first_run[model]) for model in models]
    blank = [html.Th("Uniform", scope="col", title="What uniform attention reads"), _strip_head()]
    rows = [
        *[_cost(title, unit, found, models) for title, unit, found in costs],
        *[_measure(line, models, colours, statistic) for line in lines],
        *[_cost(title, unit, found, models) for title, unit, found in conditions],
    ]
    table = html.Div(
        html.Table(
            [
                html.Thead(html.Tr([html.Th("Statistic", scope="col"), *heads, *blank])),
                html.Tbody(rows),
            ],
            className="headline",
        ),
        className="scroll wide",
        tabIndex="0",
        role="region",
        **attributes(aria_label="Statistics of every model, as a table"),
    )
    return html.Div([html.P([CAPTION, " ", _download()], className="caption"), table])


def _download() -> html.A:
    return numbers_link("Download as CSV", "headline", label="headline")


def _heading(model: str, colour: str, run: str) -> html.Th:
    dot = html.Span(className="dot", style={"background": colour})
    link = choice_link(model, path="/heads", run=run)
    title = f"See the heads of {model}"
    return html.Th([dot, link], scope="col", className="number", title=title)


def _strip_head() -> html.Th:
    return html.Th("On one scale", scope="col", className="strip-head")


def _cost(title: str, unit: str, found: Mapping[str, str], models: Sequence[str]) -> html.Tr:
    name = html.Th([title, html.Span(unit, className="unit")], scope="row")
    cells = [html.Td(found.get(model, "–"), className="number") for model in models]
    return html.Tr([name, *cells, html.Td(), html.Td()], className="cost")


def _measure(
    line: HeadlineRow, models: Sequence[str], colours: Mapping[str, str], statistic: str
) -> html.Tr:
    measure = line.measure
    unit = html.Span("" if measure.units == "1" else measure.units, className="unit")
    there = measure.at != "model"
    title: Any = measure.long_name
    if there:
        title = choice_link(title, statistic=measure.name)
    return html.Tr(
        [
            html.Th([title, unit], scope="row", title=measure.meaning),
            *[_number(line.numbers.get(model)) for model in models],
            html.Td(" – ".join(map(number, line.uniform)), className="number uniform"),
            html.Td(_strip(line, models, colours)),
        ],
        className="chosen" if there and measure.name == statistic else "",
    )


def _number(found: Number | None) -> html.Td:
    if found is None or not np.isfinite(found.mean):
        return html.Td("–", className="number", title="does not apply to this model")
    parts: list[Any] = [html.Span(_text(found.mean), className="mean")]
    if np.isfinite(found.low) and found.low < found.high:
        parts.append(html.Span(interval(found.low, found.high), className="interval"))
    return html.Td(parts, className="number")


def _text(value: float) -> str:
    return number(value) if np.isfinite(value) else ""


def _strip(line: HeadlineRow, models: Sequence[str], colours: Mapping[str, str]) -> html.Div:
    """Return the models' intervals on one scale, with a tick at uniform attention."""
    found = {model: line.numbers[model] for model in models if model in line.numbers}
    ends = [value for n in found.values() for value in (n.mean, n.low, n.high)]
    held = [value for value in (*ends, *line.uniform) if np.isfinite(value)]
    low, high = min(held), max(held)
    width = high - low or 1.0
    marks = [
        html.I(className="tick", style={"left": _percent(level, low, width)})
        for level in line.uniform
    ]
    for at, (model, value) in enumerate(found.items()):
        if not np.isfinite(value.mean):
            continue
        top = f"{(at + 0.5) / len(found) * 100:.0f}%"
        if np.isfinite(value.low):
            bar = {
                "left": _percent(value.low, low, width),
                "width": f"{(value.high - value.low) / width * 100:.2f}%",
            }
            marks.append(
                html.I(className="bar", style={**bar, "top": top, "background": colours[model]})
            )
        place = {"left": _percent(value.mean, low, width), "top": top}
        marks.append(html.I(className="point", style={**place, "background": colours[model]}))
    return html.Div(marks, className="strip", **attributes(aria_hidden="true"))


def _percent(value: float, low: float, width: float) -> str:
    return f"{(value - low) / width * 100:.2f}%"
