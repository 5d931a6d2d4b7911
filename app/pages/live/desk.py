"""Where a text is typed and a model is run on it: the form, its state, and what was run before."""

from typing import Any

from dash import dcc

from dva_lens.data.documents import SEPARATOR

from ...components.attributes import attributes
from ...components.elements import html
from ...library import Library, NothingToShowError
from ...live.texts import LONGEST
from ...state import Selection
from . import names


def desk(library: Library, chosen: Selection) -> Any:  # noqa: ARG001  as all words
    """Return the form, or why nothing can be run."""
    why_not = library.catalogue.why_no_live
    if why_not:
        return html.P(why_not, className="missing", role="status")
    return html.Div(
        [
            html.Label("Text", htmlFor=names.TEXT, className="unseen"),
            html.P(_HELP, className="caption"),
            dcc.Textarea(
                id=names.TEXT,
                maxLength=LONGEST,
                persistence=True,
                persistence_type="session",
                className="live-text",
            ),
            html.Div(
                [
                    html.Button("Run", id=names.RUN, type="button", className="action primary"),
                    html.Button(
                        "Cancel",
                        id=names.CANCEL,
                        type="button",
                        className="action",
                        disabled=True,
                    ),
                    html.Button(
                        "Add another text",
                        type="button",
                        className="action",
                        **attributes(data_separator=SEPARATOR),
                    ),
                ],
                className="live-buttons",
            ),
            html.Div(id=names.STATE, role="status", className="live-state"),
            dcc.Interval(id=names.CLOCK, interval=names.PERIOD, disabled=True),
            dcc.Store(id=names.MINE),
        ]
    )


def results_place(library: Library, chosen: Selection) -> Any:  # noqa: ARG001  as all words
    """Return where results are put: below everything that they must not move.

    Raises
    ------
    NothingToShowError
        There is no model to run.
    """
    if library.catalogue.why_no_live:
        raise NothingToShowError("Nothing can be run here.")
    return html.Div(id=names.RESULTS, className="live-results")


_HELP = (
    f"At most {LONGEST:,} characters. A line {SEPARATOR} begins another text; each becomes a "
    f"sequence of its own, and what is longer than the model takes is cut into several."
)
