"""The text itself, every token shaded by the chosen statistic while nothing is pointed at.

The patches of an image stand where they are in it, and whatever else there is in a row above.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from dva_lens import axes
from dva_lens.results.display import by_query, displayed_tokens
from dva_lens.results.schema import BY_QUERY
from dva_lens.views.characters import visible
from dva_lens.views.places import Places

from ...catalogue import Measure
from ...components.attributes import attributes
from ...components.elements import html
from ...components.links import choice_link
from ...components.numbers import number
from ...library import Library, NothingToShowError
from ...live.results import model_of
from ...shown_text import NO_TEXT
from ...state import Selection

MOST_TOKENS = 16_384
STRONGEST = 62
KEYS = "Arrow keys walk through the tokens, Escape frees the one that is locked."


def shaded(library: Library, chosen: Selection) -> Any:
    """Return the chosen text, shaded by the chosen statistic in the chosen layer."""
    measure = library.catalogue.measure(chosen.statistic)
    tokens, values = tokens_of(library, chosen)
    places = Places.of(library.dataset(chosen.run, chosen.text), len(tokens))
    grid = places if places.image else None
    text = shaded_text(tokens, values, measure, chosen.layer, grid)
    return [text, _to_live(chosen)] if library.catalogue.models else text


def _to_live(chosen: Selection) -> html.P:
    """Return a link to where the text can be changed and run."""
    model, text = model_of(chosen.run), chosen.text
    said = {"run": chosen.run, "text": text, "sequence": chosen.sequence, "model": model}
    links: list[Any] = [choice_link("Change this text and run it on Live", path="/live", **said)]
    if chosen.beside != NO_TEXT:
        links += [" ", choice_link("See it beside the text before it", path="/live", **said)]
    return html.P(links, className="caption text-links")


def tokens_of(library: Library, chosen: Selection) -> tuple[list[str], np.ndarray]:
    """Return the tokens of a display text and the chosen statistic at each, heads averaged."""
    measure, held = by_token(library, chosen)
    values = by_query(held, measure.variable, chosen.sequence).sel({axes.LAYER: chosen.layer})
    return displayed_tokens(held, chosen.sequence), values.values.astype(float)


def by_token(library: Library, chosen: Selection) -> tuple[Measure, xr.Dataset]:
    """Return the chosen measure, and the display texts with its numbers for single queries.

    Raises
    ------
    NothingToShowError
        The measure is not kept for single queries, or there is no such text.
    """
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


def shaded_text(
    tokens: Sequence[str],
    values: np.ndarray,
    measure: Measure,
    layer: int,
    grid: Places | None = None,
) -> Any:
    """Return a text, every token shaded by how large its value is; a long text is cut.

    Of an image, `grid` says where its patches stand.
    """
    shown = values[:MOST_TOKENS]
    held = shown[np.isfinite(shown)]
    low, high = (float(held.min()), float(held.max())) if held.size else (0.0, 0.0)
    words = [
        _token(at, token, float(value), (value - low) / ((high - low) or 1.0), grid)
        for at, (token, value) in enumerate(zip(tokens, shown, strict=False))
    ]
    cut = (
        f" The first {MOST_TOKENS:,} of {len(tokens):,} tokens."
        if len(tokens) > MOST_TOKENS
        else ""
    )
    unit = "" if measure.units in ("", "1") else f" {measure.units}"
    caption = (
        f"While no token is pointed at, each is shaded by {measure.long_name.lower()} of its "
        f"query, mean over the heads of layer {layer}: from {number(low)} (faint) to "
        f"{number(high)}{unit} (strong).{cut}"
    )
    return html.Div(
        [
            html.P(
                words,
                className="shaded patches" if grid else "shaded",
                style={"--columns": max(grid.columns, grid.extra)} if grid else {},
                role="group",
                tabIndex="0",
                **attributes(aria_label=f"The {'image' if grid else 'text'}. {KEYS}"),
            ),
            html.P(caption, className="caption"),
        ]
    )


def _token(at: int, token: str, value: float, share: float, grid: Places | None) -> html.Span:
    known = bool(np.isfinite(value))
    style: dict[str, Any] = {"--rest": f"{STRONGEST * share:.0f}%"} if known else {}
    name = f"token {at}"
    if grid is not None:
        above = 1 + int(grid.extra > 0)
        style |= {"gridRow": int(grid.row[at]) + above, "gridColumn": int(grid.column[at]) + 1}
        name = f"{name} ({token})"
    return html.Span(
        visible(token),
        className="token",
        style=style,
        title=f"{name}: {number(value)}" if known else name,
    )
