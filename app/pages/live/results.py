"""What was run since the explorer started: links to measurements, and effects of changes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from dash import html

from dva_lens.results.sinks import MASS
from dva_lens.views.words import number as counted

from ...components.attributes import attributes
from ...components.links import choice_link
from ...components.numbers import interval, signed
from ...components.text import LINE_BREAK, visible
from ...library import Library
from ...live.results import LiveEffect, LiveMeasurement, LiveResult, model_of
from ...state import EVERY_SPAN, Selection

_EXCERPT = 60


def results(found: Sequence[LiveResult]) -> Any:
    """Return the results of a server, the latest first; nothing where there is none."""
    if not found:
        return []
    listed = [
        _measured(one) if isinstance(one, LiveMeasurement) else _changed(one)
        for one in reversed(found)
    ]
    return [html.H3("Run since the explorer started"), html.Ul(listed)]


def landing(found: LiveMeasurement, library: Library, chosen: Selection) -> dict[str, Any]:
    """Return what to choose in order to see a measurement.

    Who looked at the same model before stays at the head; else it is the one that gives the
    first key most.
    """
    place = _place(found, found.runs[0])
    if model_of(chosen.run) == found.job.task.model.name:
        return place | {"layer": chosen.layer, "head": chosen.head}
    masses = library.by_head(found.runs[0], found.text, MASS, EVERY_SPAN)
    if masses is None or not masses.notnull().any():
        return place
    layer, head = np.unravel_index(np.nanargmax(masses.values), masses.shape)
    return place | {"layer": int(layer), "head": int(head)}


def _place(found: LiveMeasurement, run: str, sequence: int = 0) -> dict[str, Any]:
    return {"run": run, "text": found.text, "sequence": sequence, "token": "none"}


def _measured(found: LiveMeasurement) -> html.Li:
    size = f"{counted(found.tokens, 'token')} in {counted(found.sequences, 'sequence')}"
    links: list[Any] = []
    for run in found.runs:
        links += [choice_link(run, path="/tokens", **_place(found, run)), " "]
        for sequence in range(found.sequences if found.sequences > 1 else 0):
            name, label = f"text {sequence}", f"text {sequence} of {run}"
            place = _place(found, run, sequence)
            links += [choice_link(name, path="/tokens", label=label, **place), " "]
    return html.Li([*links, f"{size}: {_excerpt(found.job.task.text)}"])


def _changed(found: LiveEffect) -> html.Li:
    loss = found.found["effects"]["loss"]
    rows = [_row(name, loss[key]) for key, name in _NAMES.items()]
    title = found.job.task.title
    return html.Li(
        [
            html.Strong(f"{title[:1].upper()}{title[1:]}"),
            f", {_where(found.found['intervention'])}: {_excerpt(found.job.task.text)}",
            html.Div(
                html.Table(
                    [
                        html.Thead(html.Tr([html.Th(name, scope="col") for name in _heads(loss)])),
                        html.Tbody(rows),
                    ],
                    className="numbers compact live-effect",
                ),
                className="scroll",
                tabIndex="0",
                role="region",
                **attributes(aria_label=f"Effect of {title}"),
            ),
            html.P(f"{verdict(loss)} {_about(found.found)}", className="caption"),
        ]
    )


def verdict(loss: Mapping[str, Any]) -> str:
    """Return in words whether a change did more to the loss than its control."""
    found = loss["difference"]
    low, high = found["low"], found["high"]
    if low is None or high is None:
        return "Undecided: one text has no interval; add another text to get one."
    if low > 0:
        return "The change raises the loss by more than its control does."
    if high < 0:
        return "The change raises the loss by less than its control does."
    return "The change does not differ detectably from its control."


def _row(name: str, found: Mapping[str, Any]) -> html.Tr:
    low, high = found["low"], found["high"]
    ends = "no interval" if low is None or high is None else interval(low, high)
    return html.Tr(
        [
            html.Th(name, scope="row"),
            html.Td("–" if found["mean"] is None else signed(found["mean"]), className="number"),
            html.Td(ends, className="number"),
        ]
    )


def _heads(loss: Mapping[str, Any]) -> tuple[str, str, str]:
    return ("", f"Change of the loss [{loss['units']}]", "95 % interval")


def _about(found: Mapping[str, Any]) -> str:
    said = f"Control: {found['control']}; mean of {found['draws']}."
    note = found["effects"]["loss"]["note"]
    return f"{said} Interval: {note}." if note else said


def _where(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if name != "intervention")


def _excerpt(text: str) -> str:
    short = " ".join(text.split())
    cut = visible(short[:_EXCERPT]).replace(LINE_BREAK, " ")
    return f"“{cut}…”" if len(short) > _EXCERPT else f"“{cut}”"


_NAMES = {"intervention": "The change", "control": "Its control", "difference": "Difference"}
