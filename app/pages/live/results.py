"""What was run since the explorer started: links to measurements, and effects of changes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dva_lens.results.sinks import MASS
from dva_lens.views.characters import LINE_BREAK, visible
from dva_lens.views.words import number as counted

from ...components.arithmetic import arithmetic
from ...components.elements import html
from ...components.links import choice_link
from ...library import Library
from ...live.results import (
    LiveEffect,
    LiveMeasurement,
    LivePair,
    LivePattern,
    LiveResult,
    model_of,
)
from ...shown_text import ShownText
from ...state import EVERY_SPAN, Selection
from .effect import effect

_EXCERPT = 60


def results(found: Sequence[LiveResult]) -> Any:
    """Return the results of a server, the latest first, or that there is none."""
    listed = [_result(one) for one in reversed(found) if not isinstance(one, LivePattern)]
    return html.Ul(listed) if listed else html.P("Nothing yet.", className="caption")


def _result(one: LiveMeasurement | LiveEffect | LivePair) -> html.Li:
    if isinstance(one, LiveMeasurement):
        return _measured(one)
    return _looked(one) if isinstance(one, LivePair) else _changed(one)


def landing(found: LiveMeasurement, library: Library, chosen: Selection) -> dict[str, Any]:
    """Return what to choose in order to see a measurement.

    Who looked at the same model before stays at the head, and the text before is set beside the
    new one; else it is the head that gives the first key most.
    """
    place = _place(found, found.runs[0])
    if model_of(chosen.run) == found.job.task.model.name:
        before = str(ShownText(chosen.run, chosen.text, chosen.sequence))
        return place | {"layer": chosen.layer, "head": chosen.head, "beside": before}
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
    title = found.job.task.title
    return html.Li(
        [
            html.Strong(f"{title[:1].upper()}{title[1:]}"),
            f", {_where(found.found['intervention'])}: {_excerpt(found.job.task.text)}",
            *effect(found.found, title),
        ]
    )


def _looked(found: LivePair) -> html.Li:
    title = found.job.task.title
    about = f": {_excerpt(found.job.task.text)}"
    return html.Li(
        [html.Strong(f"{title[:1].upper()}{title[1:]}"), about, *arithmetic(found.found)]
    )


def _where(values: Mapping[str, Any]) -> str:
    held = {name: value for name, value in values.items() if name != "intervention"}
    return ", ".join(f"{name} {value}" for name, value in held.items() if value is not None)


def _excerpt(text: str) -> str:
    short = " ".join(text.split())
    cut = visible(short[:_EXCERPT]).replace(LINE_BREAK, " ")
    return f"“{cut}…”" if len(short) > _EXCERPT else f"“{cut}”"
