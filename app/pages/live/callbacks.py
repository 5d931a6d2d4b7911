"""What happens on Live: a run begins, is looked at until it ends, and is cancelled.

Browsers can send anything here: a model is one of those offered, a change one of the table, and
the text is only ever written to a file of our own.
"""

from typing import Any

from dash import Dash, Input, Output, State, ctx, no_update
from dash.dependencies import ALL
from werkzeug.exceptions import BadRequest

from dva_lens.diagnostics.interventions.values import NAME

from ...components.job import state
from ...library import Library
from ...live import BusyError, check_text
from ...live.jobs import Task
from ...live.results import LiveMeasurement
from ...live.tasks import Changing, Looking, Measuring
from ...search_index import search_index
from ...state import Selection
from ...workbench import Workbench
from . import names
from .change import values_of
from .pair import place_of
from .results import landing, results

BUTTONS = (names.RUN, names.CHANGE, names.LOOK, names.CANCEL)


def connect(app: Dash, bench: Workbench) -> None:
    """Connect the buttons and the clock of the page with the workbench."""

    @app.callback(
        Output(names.STATE, "children"),
        Output(names.RESULTS, "children"),
        Output(names.CANCEL, "disabled"),
        Output(names.CLOCK, "disabled"),
        Output(names.MINE, "data"),
        Output("request", "data"),
        Output("index", "data-index"),
        Input(names.RUN, "n_clicks"),
        Input(names.CHANGE, "n_clicks"),
        Input(names.LOOK, "n_clicks"),
        Input(names.CANCEL, "n_clicks"),
        Input(names.CLOCK, "n_intervals"),
        State(names.TEXT, "value"),
        State({names.FIELD: ALL}, "value"),
        State({names.PLACE: ALL}, "value"),
        State("query", "data"),
        State(names.MINE, "data"),
    )
    def _act(*given: Any) -> tuple[Any, ...]:
        text, fields, place, query, mine = given[5:]
        pressed, refusal = _pressed(), ""
        if pressed == names.CANCEL:
            bench.runner.cancel()
        elif pressed:
            try:
                change, pair = _named(fields, 1, names.FIELD), _named(place, 2, names.PLACE)
                named = pair if pressed == names.LOOK else change
                task = _task(bench, pressed, text, query, named)
                mine = bench.runner.start(task).number
            except (ValueError, BusyError) as error:
                refusal = str(error)
        return _shown(bench, refusal, mine, query)


def _pressed() -> str:
    """Return the button that was pressed; one that only appears has no number of clicks."""
    buttons = {f"{name}.n_clicks": name for name in BUTTONS}
    clicked = [each["prop_id"] for each in ctx.triggered if each["value"]]
    return next((buttons[each] for each in clicked if each in buttons), "")


def _shown(bench: Workbench, refusal: str, mine: Any, query: Any) -> tuple[Any, ...]:
    """Return what the page shows now; who began a measurement is led to it, once."""
    job, held = bench.runner.job, bench.results
    is_running = job is not None and job.phase == "running"
    said = state(job, refusal), results(held), not is_running, not is_running
    if is_running or job is None or mine != job.number:
        return (*said, mine if is_running else None, no_update, no_update)
    found = next((one for one in held if one.job.number == job.number), None)
    if job.phase != "finished" or not isinstance(found, LiveMeasurement):
        return (*said, None, no_update, no_update)
    library = bench.library
    place = landing(found, library, _selection(library, query))
    choose = {"choose": {**place, "path": "/tokens"}, "at": job.number}
    return (*said, None, choose, search_index(library))


def _task(bench: Workbench, pressed: str, text: Any, query: Any, fields: dict[str, Any]) -> Task:
    """Return what was asked for.

    Raises
    ------
    ValueError
        The text, or a field of the change or the pair, cannot be taken.
    """
    why_not = bench.library.catalogue.why_no_live
    if why_not:
        raise ValueError(why_not)
    chosen = _selection(bench.library, query)
    model, typed = bench.models[chosen.model], check_text(text)
    if pressed == names.RUN:
        return Measuring(model, typed)
    if pressed == names.LOOK:
        return Looking(model, typed, place_of(fields))
    values = values_of(fields.get(NAME), fields)
    return Changing(model, typed, fields[NAME], values)


def _selection(library: Library, query: Any) -> Selection:
    if not isinstance(query, str):
        raise BadRequest("An address must be text.")
    return Selection.from_query(query, library.catalogue)


def _named(values: Any, at: int, kind: str) -> dict[str, Any]:
    """Return the fields of a form by their names; `at` is their place among what a call states."""
    states = ctx.states_list[at]
    if not isinstance(values, list) or len(states) != len(values):
        raise BadRequest("There must be one value per field.")
    named = (str(each["id"][kind]) for each in states)
    return dict(zip(named, values, strict=True))
