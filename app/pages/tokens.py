"""Tokens: what single queries of one text read."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from dash import html

from dva_lens import axes, views
from dva_lens.results.display import by_query, displayed_tokens
from dva_lens.results.schema import BY_QUERY

from ..catalogue import Measure
from ..components.attributes import attributes
from ..components.meaning import MEANING
from ..components.numbers import number
from ..components.text import visible
from ..library import Library, NothingToShowError
from ..page import Card, Page, Panel, Words
from ..state import Selection

MOST_TOKENS = 2048
STRONGEST = 62


def _lane(library: Library, chosen: Selection) -> go.Figure:
    """Draw the chosen statistic at every token of a display text, heads of the chosen layer."""
    measure, held = _by_token(library, chosen)
    return views.token_lane(held, measure.variable, sequence=chosen.sequence, layer=chosen.layer)


def _text(library: Library, chosen: Selection) -> Any:
    measure = library.catalogue.measure(chosen.statistic)
    tokens, values = tokens_of(library, chosen)
    return shaded_text(tokens, values, measure, chosen.layer)


def tokens_of(library: Library, chosen: Selection) -> tuple[list[str], np.ndarray]:
    """Return the tokens of a display text and the chosen statistic at each, heads averaged."""
    measure, held = _by_token(library, chosen)
    values = by_query(held, measure.variable, chosen.sequence).sel({axes.LAYER: chosen.layer})
    return displayed_tokens(held, chosen.sequence), values.values.astype(float)


def _by_token(library: Library, chosen: Selection) -> tuple[Measure, xr.Dataset]:
    measure = library.catalogue.measure(chosen.statistic)
    held = library.display(chosen.run, chosen.text)
    if measure.variable + BY_QUERY not in held:
        raise NothingToShowError(
            f"{measure.long_name} is not kept for single tokens; choose a statistic of attention "
            f"rows, such as entropy."
        )
    if chosen.sequence >= held.sizes[axes.SHOWN]:
        raise NothingToShowError(f"There is no text {chosen.sequence} on “{chosen.text}”.")
    return measure, held


def shaded_text(tokens: Sequence[str], values: np.ndarray, measure: Measure, layer: int) -> Any:
    """Return a text, every token shaded by how large its value is; a long text is cut."""
    shown = values[:MOST_TOKENS]
    held = shown[np.isfinite(shown)]
    low, high = (float(held.min()), float(held.max())) if held.size else (0.0, 0.0)
    words = [
        _token(at, token, float(value), (value - low) / ((high - low) or 1.0))
        for at, (token, value) in enumerate(zip(tokens, shown, strict=False))
    ]
    cut = (
        f" The first {MOST_TOKENS:,} of {len(tokens):,} tokens."
        if len(tokens) > MOST_TOKENS
        else ""
    )
    unit = "" if measure.units in ("", "1") else f" {measure.units}"
    caption = (
        f"Shaded by {measure.long_name.lower()} of the query at each token, mean over the heads "
        f"of layer {layer}: from {number(low)} (faint) to {number(high)}{unit} (strong). Hover "
        f"over a token for its value.{cut}"
    )
    return html.Div(
        [
            html.P(words, className="shaded", **attributes(aria_label="The text")),
            html.P(caption, className="caption"),
        ]
    )


def _token(at: int, token: str, value: float, share: float) -> html.Span:
    if not np.isfinite(value):
        return html.Span(visible(token), className="token")
    strength = f"{STRONGEST * share:.0f}%"
    return html.Span(
        visible(token),
        className="token",
        title=f"token {at}: {number(value)}",
        style={"background": f"color-mix(in srgb, var(--shade) {strength}, transparent)"},
    )


PAGE = Page(
    path="/tokens",
    name="Tokens",
    question="Where in the text does it happen?",
    lead=(
        "One text, token by token: each column is a query, each row a head of the chosen layer. "
        "The weight on the first key has a separate lane."
    ),
    menus=("run", "statistic", "layer", "sequence", "text"),
    parts=(
        MEANING,
        Card("The text", (Words("text", _text),)),
        Panel("tokens", "One text, token by token", _lane, height=360),
    ),
    about="queries",
)
