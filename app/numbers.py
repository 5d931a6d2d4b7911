"""The numbers of a figure as CSV, at an address that says what is shown."""

import csv
import io
import re
from collections.abc import Sequence

from flask import Flask, Response, request

from dva_lens.views.figure import Row

from .panels import PANELS, show
from .queries import Library
from .selection import Selection


def serve_numbers(server: Flask, library: Library) -> None:
    """Serve `/numbers/PANEL.csv?SELECTION`."""

    @server.get("/numbers/<name>.csv")
    def _numbers(name: str) -> Response:
        if name not in PANELS:
            return Response(f"There is no such figure; there are: {', '.join(PANELS)}.\n", 404)
        chosen = Selection.from_query(
            request.query_string.decode("ascii", "replace"), library.menu
        )
        shown = show(name, library, chosen)
        if shown.missing:
            return Response(f"{shown.missing}\n", 404, mimetype="text/plain")
        held = re.sub(r"[^\w.-]", "_", f"{name}-{chosen.statistic}-{chosen.run}")
        return Response(
            as_csv(shown.rows, shown.title, shown.caption),
            mimetype="text/csv",
            headers={"Content-Disposition": f'attachment; filename="{held}.csv"'},
        )


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
