"""A report as one HTML file that needs no network and is the same for the same report."""

import base64
import re
from typing import Any

import plotly.io as pio
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from dva_lens.reports.cells import columns_of, rows_of
from dva_lens.reports.formulas import formula
from dva_lens.reports.page import DataTable, Part, Report
from dva_lens.results.tables import to_csv
from dva_lens.views.figure import bare
from dva_lens.views.theme import CONFIG

_TEMPLATES = PackageLoader("dva_lens.reports")


def render(report: Report) -> str:
    """Return a report as one self-contained page; whatever it says is escaped."""
    page = _environment().get_template("report.html")
    return page.render(report=report, config=CONFIG, plotly=Markup(get_plotlyjs()))


def _environment() -> Environment:
    found = Environment(
        loader=_TEMPLATES,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals.update(
        bare=bare, columns_of=columns_of, own=_own, rows_of=rows_of, template_of=_template_of
    )
    found.filters.update(
        base64=lambda text: base64.b64encode(text.encode()).decode(),
        csv=_csv,
        formula=lambda latex: Markup(formula(latex)),
        json=_json,
        unbroken=_unbroken,
    )
    return found


def _own(name: str) -> Markup:
    """Return a style or a script of this package, which no data enters."""
    source, _, _ = _TEMPLATES.get_source(Environment(autoescape=True), name)
    return Markup(source.rstrip())


def _template_of(part: Part) -> str:
    """Return which template shows a part: the one of the name of its class."""
    return f"parts/{type(part).__name__.lower()}.html"


def _csv(table: DataTable) -> str:
    return to_csv(table.columns, table.rows)


def _json(value: Any) -> Markup:
    """Return JSON that cannot end the script it stands in."""
    return Markup(str(pio.to_json(value, validate=False)).replace("<", "\\u003c"))


def _unbroken(text: str) -> str:
    """Keep a number and its interval on one line."""
    return re.sub(r" ?\[[^\]]*\]", lambda found: found.group().replace(" ", "\u00a0"), text)
