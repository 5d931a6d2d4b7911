"""Overview: how the models of an archive differ, at a glance and by depth."""

from typing import Any

import plotly.graph_objects as go

from dva_lens import views
from dva_lens.views.figure import Row
from dva_lens.views.words import plain

from ...catalogue import Catalogue
from ...components.meaning import MEANING
from ...library import Library, NothingToShowError, spans_of
from ...page import Card, Page, Panel, Words
from ...state import Selection
from . import findings
from .costs import conditions, costs
from .headline import headline
from .table import headline_table

_FEW_SEEDS = 3


def _lead(catalogue: Catalogue) -> str:
    models = list(dict.fromkeys(run.model for run in catalogue.runs))
    fewest = min(sum(run.model == model for run in catalogue.runs) for model in models)
    count = f"{len(models)} model{'s' if len(models) > 1 else ''}"
    if len(catalogue.runs) > len(models):
        count += f" in {len(catalogue.runs)} trainings"
    if len(catalogue.runs) > 1:
        count += ", measured on the same text"
    caution = (
        f" With {fewest} seed{'s' if fewest > 1 else ''} of a model, differences concern these "
        f"checkpoints, not yet the architectures."
        if fewest < _FEW_SEEDS
        else ""
    )
    return (
        f"{count}. Numbers are means over all queries, as in the report and on the command line; "
        f"numbers change with how many keys queries see, so choose how many.{caution}"
    )


def depth(library: Library, chosen: Selection) -> go.Figure:
    """Draw the chosen statistic by depth, one line per model; its points lead to their heads.

    Raises
    ------
    NothingToShowError
        The statistic is one number per text.
    """
    measure = library.catalogue.measure(chosen.statistic)
    if measure.at == "model":
        raise NothingToShowError(f"{measure.long_name} is one number per text, not per layer.")
    held = library.holding(chosen.text, measure)
    figure = views.depth_profile(held, measure.name, spans=spans_of(measure, chosen.span))
    _lead_to_heads(figure, library, chosen.text)
    figure.update_layout(hovermode="closest")
    return figure


def _lead_to_heads(figure: go.Figure, library: Library, text: str) -> None:
    """Let every point say which run and layer it stands for."""
    measured = [run for run in library.catalogue.runs if text in run.texts]
    traces: Any = figure.data
    for trace in traces:
        runs = [run for run in measured if run.model == trace.legendgroup]
        if not runs or trace.mode != "lines+markers":
            continue
        trace.customdata = [
            {"path": "/heads", "run": runs[0].name, "layer": layer}
            for layer in range(runs[0].layers)
        ]
        name = trace.name
        trace.hovertemplate = f"layer %{{customdata.layer}}: %{{text}}<extra>{name}</extra>"


def _table(library: Library, chosen: Selection) -> Any:
    return headline_table(
        library.remembered(headline)(chosen),
        chosen.statistic,
        first_run=library.catalogue.first_runs,
        costs=costs(library),
        conditions=conditions(library, chosen.text),
    )


def _rows(library: Library, chosen: Selection) -> list[Row]:
    return [
        {
            "statistic": line.measure.name,
            "units": line.measure.units,
            "model": model,
            "value": plain(found.mean),
            "low": plain(found.low),
            "high": plain(found.high),
            "reference": plain(found.uniform),
        }
        for line in library.remembered(headline)(chosen)
        for model, found in line.numbers.items()
    ]


_ALL = "All statistics of all models"

PAGE = Page(
    path="/",
    name="Overview",
    question="Where does attention go, and does the model matter?",
    lead=_lead,
    menus=("statistic", "span", "text"),
    parts=(
        Card(
            findings.TITLE,
            (Words("findings", findings.cards, label=findings.TITLE, rows=findings.rows),),
        ),
        MEANING,
        Panel(
            "depth",
            "Depth profile of every model",
            depth,
            click="point",
            hint="Click a point to see the heads of that layer.",
        ),
        Card(_ALL, (Words("headline", _table, label=_ALL, rows=_rows),)),
    ),
)
