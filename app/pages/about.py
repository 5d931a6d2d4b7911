"""About: what the numbers are, how they came about, and what they cannot say.

The words are those of the statistics, of the report's methods and of the archive itself.
"""

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from dva_lens.reports.material import Material
from dva_lens.reports.page import DataTable, Text
from dva_lens.reports.sections.methods import LIMITS, section
from dva_lens.results.contents import VERSIONS, TextContents, contents_of
from dva_lens.statistics.inference.multiplicity import CORRECTIONS
from dva_lens.statistics.sinks import DEFINITION, DRAIN_DEFINITION
from dva_lens.views.figure import Row

from ..catalogue import Choice
from ..components.elements import html
from ..components.meaning import meaning
from ..components.table import table_of
from ..describe import model_words
from ..library import Library
from ..page import Card, Page, Words
from ..state import Selection


def _sink(library: Library, chosen: Selection) -> list[Any]:  # noqa: ARG001  as all words
    return [html.P(said) for said in (*DEFINITION, DRAIN_DEFINITION)]


def _methods(library: Library, chosen: Selection) -> list[Any]:
    parts = section(Material(library.archive, library.as_measured(chosen.text))).parts
    texts = [html.P(part.words) for part in parts if isinstance(part, Text)]
    return [*texts, html.P(CORRECTIONS), *(_table(p) for p in parts if isinstance(p, DataTable))]


def _limits(library: Library, chosen: Selection) -> html.Ul:  # noqa: ARG001
    return html.Ul(
        [html.Li([html.Strong(f"{about}. "), said]) for about, said in LIMITS],
    )


def _models(library: Library, chosen: Selection) -> html.Dl:  # noqa: ARG001
    models = dict.fromkeys(run.model for run in library.catalogue.runs)
    pairs = [(html.Dt(model), html.Dd(model_words(library, model))) for model in models]
    return html.Dl([part for pair in pairs for part in pair])


def _archive(library: Library, chosen: Selection) -> list[Any]:
    said = (
        f"{library.archive.folder.name}: {len(library.catalogue.runs)} runs, shown by dva-lens "
        f"{version('dva-lens')}. A run is one model, trained or measured once."
    )
    held = f"What was measured on “{chosen.text}”"
    return [html.P(said), table_of(_runs(library, chosen), held)]


def _runs(library: Library, chosen: Selection) -> list[Row]:
    """Return what was measured on the chosen text; it has been read for the other pages."""
    return [
        _row(run, chosen.text, contents_of(library.dataset(run.name, chosen.text)))
        for run in library.catalogue.runs
        if chosen.text in run.texts
    ]


def _row(run: Choice, text: str, found: TextContents) -> Row:
    return {
        "run": run.name,
        "model": run.model,
        "seed": run.seed,
        "text": text,
        "documents": found.documents,
        "sequences": found.sequences,
        "longest": found.longest,
        "statistics": found.statistics,
        **{f"made with {name}": (found.versions or {}).get(name, "") for name in VERSIONS},
    }


def _definitions(library: Library, chosen: Selection) -> list[Any]:  # noqa: ARG001
    each = {measure.variable: measure for measure in library.catalogue.measures}
    return [
        meaning(replace(measure, long_name=measure.variable_name, extra={}))
        for measure in each.values()
    ]


def _table(part: DataTable) -> html.Details:
    rows: Sequence[Row] = [dict(zip(part.columns, row, strict=True)) for row in part.rows]
    return html.Details([html.Summary(part.title), table_of(rows, part.caption or part.title)])


_HELD = "What this archive holds"

PAGE = Page(
    path="/about",
    name="About",
    question="What do the numbers say, and what not?",
    lead="Definitions, methods and limits, and where the numbers of this archive come from.",
    menus=("text",),
    parts=(
        Card("What a sink is", (Words("about-sink", _sink, class_name="prose"),)),
        Card("What the numbers cannot say", (Words("about-limits", _limits, class_name="prose"),)),
        Card("How they came about", (Words("about-methods", _methods, class_name="prose"),)),
        Card("The models", (Words("about-models", _models, class_name="prose"),)),
        Card("Every statistic", (Words("about-statistics", _definitions, class_name="prose"),)),
        Card(
            _HELD, (Words("about-archive", _archive, class_name="prose", label=_HELD, rows=_runs),)
        ),
    ),
)
