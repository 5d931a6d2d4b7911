"""What a statistic means: one sentence in view, its definition one click away."""

from dva_lens.reports.formulas import formula

from ..catalogue import Measure
from ..library import Library
from ..page import Words
from ..state import Selection
from .attributes import attributes
from .elements import html


def meaning(measure: Measure) -> html.Div:
    """Return the meaning of a measure with its formula, source and pitfalls folded away."""
    facts = (
        ("Formula", _set(measure.formula)),
        ("Units", _units(measure.units)),
        ("One number per", _PLACES[measure.at]),
        ("Uniform attention", measure.why_no_reference or "drawn as the dotted line"),
        ("Mind", measure.pitfalls or None),
        ("Source", measure.source or None),
    )
    listed = [[html.Dt(name), html.Dd(value)] for name, value in facts if value is not None]
    return html.Div(
        [
            html.P([html.Strong(measure.long_name), " — ", measure.meaning]),
            html.Details(
                [
                    html.Summary("Definition and source"),
                    html.Dl([part for pair in listed for part in pair]),
                ]
            ),
        ],
        className="meaning",
    )


_PLACES = {
    "query": "query, averaged within bins of visible keys",
    "key": "key, averaged within bins of visible keys",
    "head": "head and text",
    "kv_head": "key-value head and text",
    "layer": "layer and text",
    "model": "text",
}


def _set(latex: str) -> html.Span | None:
    """Return a place that the page sets a formula into."""
    if not latex:
        return None
    return html.Span(className="formula-place", **attributes(data_mathml=formula(latex)))


def _units(units: str) -> str:
    return "none, a ratio" if units == "1" else units


def _chosen(library: Library, chosen: Selection) -> html.Div:
    return meaning(library.catalogue.measure(chosen.statistic))


MEANING = Words("meaning", _chosen, class_name="card quiet")
