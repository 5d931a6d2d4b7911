"""The parts of pages that are words and tables: what fills each, and what it depends on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from dash import html

from dva_lens.views.arms import arms
from dva_lens.views.readings import reference

from .components.contrast import contrast_table
from .components.headline import headline_table
from .components.heads import finder, head_numbers, head_title
from .components.meaning import meaning
from .components.text_view import shaded_text
from .contrast import comparisons
from .figures import tokens_of
from .headline import headline
from .panels import REFUSALS, sentence
from .queries import Library, spans_of
from .ranking import rank_of, ranks
from .selection import Selection
from .values import measures


@final
@dataclass(frozen=True)
class Slot:
    """A part of a page; `uses` names the fields of a selection that change it."""

    uses: tuple[str, ...]
    fill: Callable[[Library, Selection], Any]


def fill(name: str, library: Library, chosen: Selection) -> Any:
    """Fill a slot, or say in one sentence why there is nothing to put there."""
    try:
        return SLOTS[name].fill(library, chosen)
    except REFUSALS as refusal:
        return html.P(sentence(refusal), className="missing", role="status")


def _headline(library: Library, chosen: Selection) -> Any:
    lines = library.remembered(headline, chosen.probe, chosen.span)
    first = {run.model: run.name for run in reversed(library.menu.runs)}
    ordered = {run.model: first[run.model] for run in library.menu.runs}
    how = _conditions(library, chosen.probe, ordered)
    return headline_table(lines, chosen, first_run=ordered, costs=_costs(library), conditions=how)


def _meaning(library: Library, chosen: Selection) -> Any:
    return meaning(library.menu.measure(chosen.statistic))


def _about_values(library: Library, chosen: Selection) -> Any:  # noqa: ARG001  as every slot
    return [meaning(measure) for measure in measures(library.menu)]


def _head(library: Library, chosen: Selection) -> Any:
    measure = library.menu.measure(chosen.statistic)
    held = library.by_query_head(chosen.run, chosen.probe)
    level = None
    if measure.name in held:
        (arm,) = arms(held, measure.name)
        level = reference(arm, measure.name, (), spans=spans_of(measure, chosen.span))
    uniform = float("nan") if level is None else float(level)
    return head_title(chosen, measure, rank_of(library, chosen, measure), uniform)


def _numbers(library: Library, chosen: Selection) -> Any:
    found = [
        (measure, rank_of(library, chosen, measure)) for measure in library.menu.head_measures
    ]
    return head_numbers(found, chosen)


def _finder(library: Library, chosen: Selection) -> Any:
    measure = library.menu.measure(chosen.statistic)
    return finder(ranks(library, chosen, measure), chosen, measure)


def _contrasts(library: Library, chosen: Selection) -> Any:
    found = library.remembered(comparisons, chosen.probe, chosen.span, chosen.baseline)
    return contrast_table(found, chosen)


def _text(library: Library, chosen: Selection) -> Any:
    measure = library.menu.measure(chosen.statistic)
    tokens, values = tokens_of(library, chosen)
    return shaded_text(tokens, values, measure, chosen.layer)


def _costs(library: Library) -> list[tuple[str, str, Mapping[str, str]]]:
    """Return what each model costs, averaged over its trainings."""
    rows = []
    for key, title, unit, show in _COSTS:
        found: dict[str, list[float]] = {}
        for run in library.archive.runs:
            value = run.attrs.get(key)
            if isinstance(value, int | float) and np.isfinite(value):
                found.setdefault(run.model, []).append(float(value))
        if found:
            means = {model: show(float(np.mean(values))) for model, values in found.items()}
            rows.append((title, unit, means))
    return rows


def _conditions(
    library: Library, probe: str, first: Mapping[str, str]
) -> list[tuple[str, str, Mapping[str, str]]]:
    """Return how each model was measured on a text, as its first training says."""
    measured = {run.name for run in library.menu.runs if probe in run.probes}
    said = {
        model: library.measurement(run, probe).attrs
        for model, run in first.items()
        if run in measured
    }
    rows = []
    for key, title, unit in _CONDITIONS:
        found = {model: str(attrs[key]) for model, attrs in said.items() if key in attrs}
        if found:
            rows.append((title, unit, found))
    return rows


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"


_COSTS = (
    ("parameters", "Parameters", "", _short),
    ("flops_per_token", "Compute", "FLOP per token", _short),
    ("kv_bytes_per_token", "Key-value cache", "bytes per token", _short),
    ("train_seconds", "Training time", "s", lambda value: f"{value:.3g}"),
)

_CONDITIONS = (
    ("bos", "Special tokens", ""),
    ("chat_template", "Chat template", ""),
    ("padding_side", "Padding", ""),
    ("window", "Window", "tokens"),
    ("stride", "Stride", "tokens"),
    ("dtype", "Precision", ""),
    ("backend", "Kernel", ""),
)

_RUN = ("run", "probe", "span", "statistic")

SLOTS: dict[str, Slot] = {
    "headline": Slot(("probe", "span", "statistic"), _headline),
    "meaning": Slot(("statistic",), _meaning),
    "about-values": Slot((), _about_values),
    "text": Slot(("run", "probe", "statistic", "sequence", "layer"), _text),
    "contrasts": Slot(("probe", "span", "baseline"), _contrasts),
    "head": Slot((*_RUN, "layer", "head"), _head),
    "numbers": Slot((*_RUN, "layer", "head"), _numbers),
    "finder": Slot((*_RUN, "layer", "head", "order"), _finder),
}
