"""The pattern of the chosen head in cells, from the whole text down to one pair.

Cells are worked out by the process that Live runs models in, when a reader asks for them; which
part is looked at is in the address. A part of one query and one key is a pair, with its
arithmetic.
"""

from typing import Any

from dash import Dash, Input, Output, State, ctx, dcc, no_update
from werkzeug.exceptions import BadRequest

from dva_lens import axes
from dva_lens.results.display import displayed_tokens

from ...area import WHOLE, Area, area_named, area_of
from ...components.arithmetic import arithmetic
from ...components.attributes import attributes
from ...components.elements import html
from ...components.job import state
from ...library import Library, NothingToShowError
from ...live import BusyError, LiveJob
from ...live.jobs import Task
from ...live.results import LiveMeasurement, LivePair, LivePattern, model_of
from ...live.tasks import CELLS_ALONG, Looking, Tiling
from ...live.texts import text_of
from ...state import Selection
from ...workbench import Workbench
from .image import note_of, pattern_image

AT, ASKED, CLOCK = "pattern-at", "pattern-asked", "pattern-clock"
STATE, VIEW, CANCEL = "pattern-state", "pattern-view", "pattern-cancel"
PERIOD = 500
"""Milliseconds between two looks at a job that runs."""
FIELDS = ("run", "text", "sequence", "layer", "head", "area", "cells")
"""What the card depends on."""


def frame(library: Library, chosen: Selection) -> Any:
    """Return the places that are filled when a pattern is asked for, or how to get a model."""
    if not library.catalogue.models:
        return html.P(why_not(library, chosen), className="caption", role="status")
    return html.Div(
        [
            html.Div(id=STATE, className="pattern-state"),
            html.Button(
                "Cancel",
                id=CANCEL,
                type="button",
                className="action",
                hidden=True,
                **attributes(data_do="cancel", data_area=WHOLE),
            ),
            html.Div(id=VIEW, className="pattern-view"),
            dcc.Store(id=ASKED),
            dcc.Interval(id=CLOCK, interval=PERIOD, disabled=True),
        ]
    )


def place(library: Library, chosen: Selection) -> Any:
    """Return what is looked at, of which the card hears when it changes."""
    if not library.catalogue.models:
        return []
    return dcc.Store(id=AT, data={name: getattr(chosen, name) for name in FIELDS})


def why_not(library: Library, chosen: Selection) -> str:
    """Return why the pattern of the chosen run cannot be worked out; nothing if it can."""
    catalogue, own = library.catalogue, model_of(chosen.run)
    if own in catalogue.models:
        return ""
    if catalogue.why_no_live and catalogue.models:
        return catalogue.why_no_live
    return (
        f"The whole pattern of a head is worked out by its model, and no checkpoint of {own} is "
        f"at hand. Start the explorer with the model under this name, such as "
        f"`dva-lens explore DIR --model path/to/{own}`, or study small models with "
        f"`dva-lens study run`, which keeps their checkpoints."
    )


def connect(app: Dash, bench: Workbench) -> None:
    """Connect the card with the workbench."""

    @app.callback(
        Output(STATE, "children"),
        Output(VIEW, "children"),
        Output(CANCEL, "hidden"),
        Output(CLOCK, "disabled"),
        Input(AT, "data"),
        Input(ASKED, "data"),
        Input(CLOCK, "n_intervals"),
        State("query", "data"),
    )
    def _act(at: Any, asked: Any, ticks: Any, query: Any) -> tuple[Any, ...]:
        del at, ticks
        if not isinstance(query, str):
            raise BadRequest("An address must be text.")
        library = bench.library
        chosen, refusal = Selection.from_query(query, library.catalogue), ""
        reason = why_not(library, chosen)
        if reason:
            return html.P(reason, className="caption", role="status"), [], True, True
        try:
            if asked and ctx.triggered_id == ASKED:
                chosen, refusal = _granted(bench, chosen, asked)
            task = task_of(bench, chosen)
        except (NothingToShowError, ValueError) as error:
            return html.P(str(error), className="missing", role="status"), [], True, True
        job = bench.runner.job
        is_running = job is not None and job.phase == "running" and job.task == task
        view = no_update if is_running else _view(bench, task, chosen)
        said = [_go(chosen), *_said(bench, task, refusal)]
        return said, view, not is_running, not is_running


def _go(chosen: Selection) -> html.Div:
    """Return which part is shown, for the browser to write into the address."""
    return html.Div(hidden=True, **attributes(data_go=chosen.area))


def task_of(bench: Workbench, chosen: Selection) -> Tiling | Looking:
    """Return what has to be run to see the chosen part of the pattern of the chosen head.

    Raises
    ------
    NothingToShowError
        There is no such text.
    """
    text, sequence, length = _text(bench, chosen)
    model = bench.models[model_of(chosen.run)]
    area = area_of(chosen.area, length)
    if area.is_pair:
        at = {"layer": chosen.layer, "head": chosen.head, "sequence": sequence}
        return Looking(model, text, {**at, "query": area.query, "key": area.key})
    part = None if area == area_of(WHOLE, length) else area
    return Tiling(model, text, chosen.layer, chosen.head, sequence, part)


def _text(bench: Workbench, chosen: Selection) -> tuple[str, int, int]:
    """Return a text to run, which of its sequences is looked at, and how many tokens that has."""
    tokens = _tokens(bench, chosen)
    for each in bench.results:
        if isinstance(each, LiveMeasurement) and chosen.run in each.runs:
            return each.job.task.text, chosen.sequence, len(tokens)
    return text_of(tokens), 0, len(tokens)


def _tokens(bench: Workbench, chosen: Selection) -> list[str]:
    held = bench.library.display(chosen.run, chosen.text)
    if chosen.sequence >= held.sizes[axes.SHOWN]:
        raise NothingToShowError(f"There is no text {chosen.sequence} on “{chosen.text}”.")
    return displayed_tokens(held, chosen.sequence)


def _granted(bench: Workbench, chosen: Selection, asked: Any) -> tuple[Selection, str]:
    """Do what was asked for; return what is looked at then, and why not, if it was refused."""
    if not isinstance(asked, dict) or not isinstance(asked.get("area"), str):
        raise BadRequest("What is asked for must name an area.")
    if asked.get("do") == "cancel":
        bench.runner.cancel()
        return chosen, ""
    chosen = chosen.but(area=area_named(asked["area"]))
    task = task_of(bench, chosen)
    if bench.found(task) is not None:
        return chosen, ""
    try:
        bench.runner.start(task)
    except BusyError as error:
        return chosen, str(error)
    return chosen, ""


def _said(bench: Workbench, task: Task, refusal: str) -> list[Any]:
    """Return how a task stands, and the button that begins or cancels it."""
    job = bench.runner.job
    own: LiveJob | None = job if job is not None and job.task == task else None
    held = bench.found(task) is not None
    if own is not None and own.phase == "running":
        return [html.Div(state(own), role="status")]
    said = [] if own is None or held else state(own, refusal)
    if refusal and not said:
        said = [html.P(refusal, className="missing")]
    if held:
        return [html.Div(said, role="status")]
    area = str(task.area) if isinstance(task, Tiling) and task.area else WHOLE
    if isinstance(task, Looking):
        at = task.place
        area = str(Area(at["query"], at["query"] + 1, at["key"], at["key"] + 1))
    return [_invitation(task), html.Div(said, role="status"), _button("Show it", "show", area)]


def _invitation(task: Task) -> html.P:
    what = task.title[:1].upper() + task.title[1:]
    about = (
        ""
        if isinstance(task, Looking)
        else (f", in {CELLS_ALONG} × {CELLS_ALONG} cells at most, each of which opens finer ones")
    )
    return html.P(f"{what}{about}. The model is run on this machine.", className="caption")


def _button(name: str, what: str, area: str, *, primary: bool = False) -> html.Button:
    return html.Button(
        name,
        type="button",
        className="action primary" if primary else "action",
        **attributes(data_do=what, data_area=area),
    )


def _view(bench: Workbench, task: Tiling | Looking, chosen: Selection) -> Any:
    """Return what was found for a task, if it is held."""
    found = bench.found(task)
    if isinstance(found, LivePattern):
        known = _tokens(bench, chosen)
        return pattern_image(found.found, chosen.cells, note_of(found.found["tokens"], known))
    if not isinstance(found, LivePair):
        return []
    at, length = found.found, len(_tokens(bench, chosen))
    pair = Area(at["query"], at["query"] + 1, at["key"], at["key"] + 1)
    out = [
        _button("Zoom out", "show", str(pair.around(CELLS_ALONG, length))),
        _button("Whole text", "show", WHOLE),
    ]
    return html.Div([*arithmetic(at), html.Div(out, className="pattern-buttons")])
