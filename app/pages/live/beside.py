"""Two texts side by side: what one head does with each, on one scale, and its statistics.

A token that is pointed at shows where it looks and who looks at it, and so does the same token of
the other text, where they agree from the beginning or from the end (`assets/beside.js`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.display import by_query, displayed_tokens
from dva_lens.results.edges import pinned_keys
from dva_lens.results.schema import BY_QUERY
from dva_lens.views.characters import visible

from ...catalogue import Measure
from ...components.attributes import attributes
from ...components.edges import held_edges
from ...components.elements import html
from ...components.links import choice_link
from ...components.numbers import number, signed
from ...library import Library, NothingToShowError
from ...live.results import live_number, model_of
from ...shown_text import ShownText, shown_text
from ...state import SEQUENCES, Selection

STRONGEST = 62
"""Per cent of colour under the token with the largest number."""
MOST_TOKENS = 4096
OFFERED = 8
KEYS = "Arrow keys choose another head for both."
POINT = (
    "Point at a token for where it looks and who looks at it, here and in the other text, where "
    "that has it too; a click locks it."
)
WALK = "Arrow keys walk through the tokens, Escape frees the one that is locked."
_FIRST = (
    "Run a text, change it, and run it again with the same model: both are shown here, the same "
    "head in each."
)


@final
@dataclass(frozen=True)
class _Side:
    """One of two texts: its tokens, a number at each, and what the chosen head does with them."""

    shown: ShownText
    tokens: list[str]
    values: np.ndarray
    numbers: dict[str, float]
    edges: html.Div | None = None


def beside(library: Library, chosen: Selection) -> Any:
    """Return the chosen text and the one that is set beside it, or which ones could be.

    Raises
    ------
    NothingToShowError
        There is no model to run, or the chosen statistic is not kept for single tokens.
    """
    if library.catalogue.why_no_live:
        raise NothingToShowError("There is no model to run texts on.")
    own = ShownText(chosen.run, chosen.text, chosen.sequence)
    other = shown_text(chosen.beside, library.catalogue, SEQUENCES)
    offered = _offered(library, own, other)
    if other is None:
        return html.Div([html.P(_FIRST, className="caption"), *offered])
    measure = _measure(library, chosen)
    sides = [_side(library, each, measure, chosen) for each in (own, other)]
    low, high = _ends([side.values for side in sides])
    unit = "" if measure.units in ("", "1") else f" {measure.units}"
    about = (
        f"Layer {chosen.layer}, head {chosen.head}: {measure.long_name.lower()} of every query, "
        f"from {number(low)} (faint) to {number(high)}{unit} (strong) in both. {KEYS}"
    )
    if any(side.edges is not None for side in sides):
        about = f"{about} {POINT}"
    label = attributes(data_headmove="", aria_label=f"Two texts side by side. {KEYS}")
    return html.Div(
        [
            html.P(about, className="caption"),
            html.Div(
                [_column(side, low, high) for side in sides],
                className="beside",
                tabIndex="0",
                role="group",
                **label,
            ),
            _table(library, sides),
            html.P(
                "One text each: the difference says nothing of other texts.", className="caption"
            ),
            *offered,
        ]
    )


def _measure(library: Library, chosen: Selection) -> Measure:
    """Return the chosen statistic if it is kept for single tokens, or the first that is."""
    kept = library.catalogue.query_measures
    if not kept:
        raise NothingToShowError("No statistic is kept for single tokens.")
    return next((each for each in kept if each.name == chosen.statistic), kept[0])


def _side(library: Library, shown: ShownText, measure: Measure, chosen: Selection) -> _Side:
    held = library.display(shown.run, shown.text)
    if shown.sequence >= held.sizes[axes.SHOWN] or measure.variable + BY_QUERY not in held:
        raise NothingToShowError(f"No single tokens are kept of {shown.title}.")
    along = (axes.LAYER, axes.HEAD)
    values = by_query(held, measure.variable, shown.sequence, along=along)
    if chosen.layer >= values.sizes[axes.LAYER] or chosen.head >= values.sizes[axes.HEAD]:
        raise NothingToShowError(f"{shown.run} has no layer {chosen.layer}, head {chosen.head}.")
    at = {axes.LAYER: chosen.layer, axes.HEAD: chosen.head}
    tokens = displayed_tokens(held, shown.sequence)[:MOST_TOKENS]
    numbers = _numbers(library, shown, at)
    shades = values.isel(at).values.astype(float)[:MOST_TOKENS]
    return _Side(shown, tokens, shades, numbers, _edges(library, shown, chosen))


def _edges(library: Library, shown: ShownText, chosen: Selection) -> html.Div | None:
    """Return the edges of the chosen head on a text for the browser, None where none were kept."""
    place = shown.run, shown.text, chosen.layer, chosen.head, shown.sequence
    try:
        found = library.edges(*place)
    except NothingToShowError:
        return None
    return held_edges(found, pinned_keys(found), most=MOST_TOKENS)


def _numbers(library: Library, shown: ShownText, at: dict[str, int]) -> dict[str, float]:
    """Return the statistics of a head on one sequence, by name."""
    found = {}
    held = library.of_run(shown.run, shown.text)
    for measure in library.catalogue.head_measures:
        if not held.holding(measure.name).parts:
            continue
        values: xr.DataArray = held.values(measure.name)
        if axes.SEQUENCE not in values.dims or not {*at} <= {*values.dims}:
            continue
        place = {**at, axes.SEQUENCE: shown.sequence}
        one = values.isel(place).values.astype(float).ravel()
        if one.size == 1 and np.isfinite(one[0]):
            found[measure.name] = float(one[0])
    return found


def _ends(values: Sequence[np.ndarray]) -> tuple[float, float]:
    held = np.concatenate([each[np.isfinite(each)] for each in values])
    return (float(held.min()), float(held.max())) if held.size else (0.0, 0.0)


def _column(side: _Side, low: float, high: float) -> html.Div:
    words = [
        _token(at, token, float(value), (float(value) - low) / ((high - low) or 1.0))
        for at, (token, value) in enumerate(zip(side.tokens, side.values, strict=False))
    ]
    shown = side.shown
    place = {"run": shown.run, "text": shown.text, "sequence": shown.sequence, "token": "none"}
    kept = side.edges is not None
    said = attributes(aria_label=f"The text of {shown.title}. {WALK if kept else ''}".strip())
    return html.Div(
        [
            html.H3(choice_link(shown.title, path="/tokens", **place)),
            html.P(words, className="shaded", tabIndex="0", role="group", **said),
            html.P(
                "" if kept else "Where its tokens look was not kept.",
                className="caption beside-said",
                role="status",
            ),
            side.edges,
        ]
    )


def _token(at: int, token: str, value: float, share: float) -> html.Span:
    known = bool(np.isfinite(value))
    style: dict[str, Any] = {"--rest": f"{STRONGEST * share:.0f}%"} if known else {}
    title = f"token {at}: {number(value)}" if known else f"token {at}"
    return html.Span(visible(token), className="token", style=style, title=title)


def _table(library: Library, sides: Sequence[_Side]) -> html.Div:
    """Return the statistics that both texts have, beside each other."""
    one, other = (side.numbers for side in sides)
    rows = [
        html.Tr(
            [
                html.Th([measure.long_name, _unit(measure)], scope="row"),
                html.Td(number(one[measure.name]), className="number"),
                html.Td(number(other[measure.name]), className="number"),
                html.Td(signed(one[measure.name] - other[measure.name]), className="number"),
            ]
        )
        for measure in library.catalogue.head_measures
        if measure.name in one and measure.name in other
    ]
    names = ("Statistic", *(side.shown.title for side in sides), "Difference")
    kinds = ("", "number", "number", "number")
    head = [html.Th(name, scope="col", className=k) for name, k in zip(names, kinds, strict=True)]
    table = html.Table([html.Thead(html.Tr(head)), html.Tbody(rows)], className="numbers compact")
    label = attributes(aria_label="Statistics of the head on both texts")
    return html.Div(table, className="scroll", tabIndex="0", role="region", **label)


def _unit(measure: Measure) -> html.Span:
    return html.Span("" if measure.units in ("", "1") else measure.units, className="unit")


def _offered(library: Library, own: ShownText, other: ShownText | None) -> list[Any]:
    """Return links to other texts that the same model was run on."""
    model, found = model_of(own.run), []
    for run in reversed(library.catalogue.runs):
        if model_of(run.name) != model:
            continue
        texts = run.texts[:1] if live_number(run.name) else [own.text]
        sequence = 0 if live_number(run.name) else own.sequence
        found += [ShownText(run.name, text, sequence) for text in texts if text in run.texts]
    links = [
        choice_link(each.title, beside=str(each))
        for each in found
        if each not in (own, other)
    ][:OFFERED]  # fmt: skip
    parts = [part for link in links for part in (" ", link)]
    shown = [html.P([f"Set beside {own.title}:", *parts], className="caption")] if links else []
    if other is None:
        return shown
    return [*shown, html.P(choice_link("Show one text alone", beside="none"), className="caption")]
