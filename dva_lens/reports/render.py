"""A report as one HTML file that needs no network and is the same for the same report."""

import base64
import csv
import html
import io
import math
import re
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any

import plotly.io as pio
from plotly.offline import get_plotlyjs

from dva_lens.reports.mathml import formula
from dva_lens.reports.page import (
    Cell,
    Definition,
    Figure,
    Folded,
    Part,
    Points,
    Report,
    Section,
    Table,
    Text,
)
from dva_lens.views import CONFIG, as_table, bare

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
)


def render(report: Report) -> str:
    """Return a report as one self-contained page."""
    body = "\n".join(_section(section) for section in report.sections)
    title, lede = _text(report.title), _text(report.lede)
    script = "\n".join((_own("draw.js"),))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{title}</title>
<style>
{_own("report.css")}
</style>
</head>
<body>
<main>
<header>
<h1>{title}</h1>
<p class="lede">{lede}</p>
{_facts(report.facts)}
{_contents(report.sections)}
</header>
{body}
<footer>Made with dva-lens. This page holds its data and needs no network.</footer>
</main>
<script id="config" type="application/json">{_json(CONFIG)}</script>
<script>{get_plotlyjs()}</script>
<script>
{script}
</script>
</body>
</html>
"""


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a table as CSV; text that a spreadsheet would run as a formula is quoted."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_inert(column) for column in columns])
    writer.writerows([_inert(cell) for cell in row] for row in rows)
    return out.getvalue()


def figure_table(figure: Figure) -> Table:
    """Return the numbers of a figure as a table."""
    _, title, _ = bare(figure.drawing)
    return Table.of(figure.name, title, as_table(figure.drawing))


def _section(section: Section) -> str:
    parts = "\n".join(_part(part) for part in section.parts)
    name = _text(section.name)
    return (
        f'<section id="{name}">\n<h2><a href="#{name}">{_text(section.title)}</a></h2>\n'
        f"{parts}\n</section>"
    )


def _part(part: Part) -> str:
    if isinstance(part, Text):
        return f'<p class="{_text(part.kind)}">{_text(part.words)}</p>'
    if isinstance(part, Points):
        return _points(part)
    if isinstance(part, Figure):
        return _figure(part)
    if isinstance(part, Table):
        return _table_figure(part)
    if isinstance(part, Definition):
        return _definition(part)
    return _folded(part)


def _points(part: Points) -> str:
    entries = "\n".join(
        f"<li><strong>{_text(about)}</strong> {_unbroken(_text(said))}</li>"
        for about, said in part.entries
    )
    return f'<ul class="points">\n{entries}\n</ul>'


def _figure(part: Figure) -> str:
    drawing, title, caption = bare(part.drawing)
    name = _text(part.name)
    table = figure_table(part)
    label = _text(f"{title}. {caption}")
    wide = " wide" if part.wide else ""
    return f"""<figure id="{name}" class="chart{wide}">
<h3>{_text(title)}</h3>
<div class="frame"><div class="plot" id="{name}-plot" role="img" aria-label="{label}"
 style="height:{part.height}px"></div></div>
<script type="application/json" id="{name}-data">{_json(drawing)}</script>
<figcaption>{_text(caption)}</figcaption>
<details class="numbers"><summary>Show as table</summary>
<div class="scroll">{_table(table)}</div></details>
{_download(table)}
</figure>"""


def _table_figure(part: Table) -> str:
    caption = f"<figcaption>{_text(part.caption)}</figcaption>" if part.caption else ""
    return (
        f'<figure id="{_text(part.name)}" class="table">\n<h3>{_text(part.title)}</h3>\n'
        f'<div class="scroll">{_table(part)}</div>\n{caption}\n{_download(part)}\n</figure>'
    )


def _table(part: Table) -> str:
    right = [_numeric(row[at] for row in part.rows) for at in range(len(part.columns))]
    classes = [' class="number"' if numeric else "" for numeric in right]
    decimals = [_decimals([row[at] for row in part.rows]) for at in range(len(part.columns))]
    heads = "".join(
        f'<th scope="col"{kind}>{_text(column)}</th>'
        for column, kind in zip(part.columns, classes, strict=True)
    )
    body = "\n".join(
        "<tr>"
        + "".join(
            f"<td{kind}>{_text(show(cell, digits))}</td>"
            for cell, kind, digits in zip(row, classes, decimals, strict=True)
        )
        + "</tr>"
        for row in part.rows
    )
    return f"<table><thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"


def _download(part: Table) -> str:
    data = base64.b64encode(to_csv(part.columns, part.rows).encode()).decode()
    name = _text(part.name)
    return (
        f'<a class="csv" download="{name}.csv" href="data:text/csv;base64,{data}">'
        f'CSV<span class="hidden"> of {_text(part.title)}</span></a>'
    )


def _definition(part: Definition) -> str:
    details = "".join(f"<dt>{_text(key)}</dt><dd>{_text(said)}</dd>" for key, said in part.details)
    return (
        f'<div class="definition" id="definition-{_text(part.name)}">'
        f"<h4>{_text(part.title)} <code>{_text(part.name)}</code></h4>"
        f"<p>{_text(part.meaning)}</p>{formula(part.formula)}<dl>{details}</dl></div>"
    )


def _folded(part: Folded) -> str:
    inner = "\n".join(_part(one) for one in part.parts)
    return f'<details class="folded"><summary>{_text(part.title)}</summary>\n{inner}\n</details>'


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    shown = "".join(
        f"<div><dt>{_text(key)}</dt><dd>{_text(said)}</dd></div>" for key, said in facts
    )
    return f'<dl class="facts">{shown}</dl>' if facts else ""


def _contents(sections: Sequence[Section]) -> str:
    links = "".join(f'<a href="#{_text(one.name)}">{_text(one.title)}</a>' for one in sections)
    return f'<nav aria-label="Contents">{links}</nav>' if len(sections) > 1 else ""


def show(cell: Cell, decimals: int | None = None) -> str:
    """Return a cell as a person reads it, with as many decimals as its column has."""
    if cell is None:
        return "–"
    if isinstance(cell, bool) or not isinstance(cell, (int, float)):
        return str(cell)
    if isinstance(cell, int) or cell == 0:
        shown = f"{cell:,.0f}"
    else:
        shown = f"{cell:.3e}" if decimals is None else f"{cell:,.{decimals}f}"
    return shown.replace("-", "−", 1) if cell < 0 else shown


def _decimals(cells: Iterable[Cell]) -> int | None:
    """Return the decimals that give the largest of a column four digits, None if it is tiny."""
    sizes = [abs(cell) for cell in cells if isinstance(cell, float)]
    largest = max(sizes, default=0.0)
    if largest == 0:
        return 0
    places = 3 - math.floor(math.log10(largest))
    return None if places > 6 else max(0, places)


def _numeric(cells: Iterable[Cell]) -> bool:
    held = [cell for cell in cells if cell is not None]
    return bool(held) and all(isinstance(cell, (int, float)) for cell in held)


def _inert(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell[:1] else cell


def _unbroken(text: str) -> str:
    """Keep a number and its interval on one line."""
    return re.sub(r" ?\[[^\]]*\]", _with_hard_spaces, text)


def _with_hard_spaces(found: re.Match[str]) -> str:
    return found.group().replace(" ", "&nbsp;")


def _json(value: Any) -> str:
    """Return JSON that cannot end the script it stands in."""
    return str(pio.to_json(value, validate=False)).replace("<", "\\u003c")


def _text(words: object) -> str:
    return html.escape(str(words), quote=True)


def _own(name: str) -> str:
    return (files("dva_lens.reports") / name).read_text(encoding="utf-8").rstrip()
