"""A text in which every token is shaded by a number."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from dash import html

from ..menu import Measure
from .attributes import attributes
from .text import number

MOST_TOKENS = 600
STRONGEST = 62


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
        f" The first {MOST_TOKENS} of {len(tokens):,} tokens." if len(tokens) > MOST_TOKENS else ""
    )
    unit = "" if measure.units in ("", "1") else f" {measure.units}"
    caption = (
        f"Shaded by {measure.long_name.lower()} of the query at each token, mean over the heads "
        f"of layer {layer}: from {number(low)} (faint) to {number(high)}{unit} (strong). Point "
        f"at a token to read its number.{cut}"
    )
    return html.Div(
        [
            html.P(words, className="shaded", **attributes(aria_label="The text")),
            html.P(caption, className="caption"),
        ]
    )


def _token(at: int, token: str, value: float, share: float) -> html.Span:
    if not np.isfinite(value):
        return html.Span(token, className="token")
    strength = f"{STRONGEST * share:.0f}%"
    return html.Span(
        "⏎\n" if token == "\n" else token.replace("\n", "⏎\n"),
        className="token",
        title=f"token {at}: {number(value)}",
        style={"background": f"color-mix(in srgb, var(--shade) {strength}, transparent)"},
    )
