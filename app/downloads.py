"""The numbers of figures and tables as CSV, at addresses that say what is shown."""

import re
from collections.abc import Sequence

from flask import Flask, Response, request

from dva_lens.results.tables import to_csv
from dva_lens.views.figure import Row

from .drawing import REFUSALS, figure_of
from .library import Library, NothingToShowError
from .page import Panel, Words
from .pages import parts_by_name
from .state import Selection
from .workbench import Workbench


def downloads() -> dict[str, Panel | Words]:
    """Return the parts of pages whose numbers can be downloaded, by name."""
    return {
        name: part
        for name, part in parts_by_name().items()
        if isinstance(part, Panel) or part.rows is not None
    }


def serve_downloads(server: Flask, bench: Workbench) -> None:
    """Serve `/numbers/NAME.csv?SELECTION`."""

    @server.get("/numbers/<name>.csv")
    def _numbers(name: str) -> Response:
        part = downloads().get(name)
        if part is None:
            known = ", ".join(downloads())
            return _words(f"There is no table of that name; available: {known}.")
        library = bench.library
        if not library.catalogue.runs:
            return _words("Nothing has been measured yet; run a model on a text on Live first.")
        query = request.query_string.decode("ascii", "replace")
        chosen = Selection.from_query(query, library.catalogue)
        try:
            said, rows = numbers_of(part, library, chosen)
        except REFUSALS as refusal:
            return _words(str(refusal))
        held = re.sub(r"[^\w.-]", "_", f"{name}-{chosen.statistic}-{chosen.run}")
        return Response(
            to_csv(list(rows[0]) if rows else [], [list(row.values()) for row in rows], *said),
            mimetype="text/csv",
            headers={"Content-Disposition": f'attachment; filename="{held}.csv"'},
        )


def numbers_of(
    part: Panel | Words, library: Library, chosen: Selection
) -> tuple[Sequence[str], Sequence[Row]]:
    """Return what is said of a figure or table, and its rows.

    Raises
    ------
    NothingToShowError
        The archive does not hold what the part shows, or words have no numbers.
    """
    if isinstance(part, Panel):
        shown = figure_of(part, library)(chosen)
        if shown.missing:
            raise NothingToShowError(shown.missing)
        return (shown.title, shown.caption), shown.rows
    if part.rows is None:
        raise NothingToShowError(f"{part.name} has no numbers.")
    return (part.label,), part.rows(library, chosen)


def _words(text: str) -> Response:
    return Response(f"{text}\n", 404, mimetype="text/plain")
