"""The numbers of figures and tables as CSV, at addresses that say what is shown."""

import csv
import io
import re
from collections.abc import Sequence

from flask import Flask, Response, request

from dva_lens.views.figure import Row

from .panels import REFUSALS, sentence
from .queries import Library
from .selection import Selection
from .taking import NAMES, take


def serve_numbers(server: Flask, library: Library) -> None:
    """Serve `/numbers/NAME.csv?SELECTION`."""

    @server.get("/numbers/<name>.csv")
    def _numbers(name: str) -> Response:
        if name not in NAMES:
            known = ", ".join(NAMES)
            return _words(f"There are no numbers of that name; there are: {known}.")
        query = request.query_string.decode("ascii", "replace")
        chosen = Selection.from_query(query, library.menu)
        try:
            said, rows = take(name, library, chosen)
        except REFUSALS as refusal:
            return _words(sentence(refusal))
        held = re.sub(r"[^\w.-]", "_", f"{name}-{chosen.statistic}-{chosen.run}")
        return Response(
            as_csv(rows, *said),
            mimetype="text/csv",
            headers={"Content-Disposition": f'attachment; filename="{held}.csv"'},
        )


def _words(text: str) -> Response:
    return Response(f"{text}\n", 404, mimetype="text/plain")


def as_csv(rows: Sequence[Row], *said: str) -> str:
    """Return rows as CSV, after comment lines that say what they are."""
    text = io.StringIO()
    for line in said:
        text.write(f"# {' '.join(line.split())}\n")
    if rows:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _safe(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _safe(value: object) -> object:
    """Keep spreadsheets from taking a token for a formula."""
    risky = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if risky else value
