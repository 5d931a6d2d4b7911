"""The table of differences from a baseline, and what may be said of each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from dash import html

from dva_lens.statistics.inference.compare import Comparison
from dva_lens.statistics.inference.estimate import Estimate

from ...catalogue import Measure
from ...components.attributes import attributes
from ...components.links import choice_link, numbers_link
from ...components.numbers import interval, signed

COLUMNS = (
    ("Statistic", ""),
    ("Same against same", "Two halves of the baseline's own seeds, on new text"),
    ("Model", ""),
    ("On new text", "These checkpoints, other texts of the same kind"),
    ("Trained again", "These architectures, other seeds"),
    ("What may be said", "At 5 %, adjusted by Holm over all rows"),
)
Found = Sequence[tuple[Measure, Sequence[Comparison]]]


def contrast_table(found: Found, baseline: str) -> html.Div:
    """Return every statistic of every model minus the baseline, those that never differ apart."""
    alike = [measure.long_name for measure, ones in found if all(map(_nothing, ones))]
    apart = [(measure, ones) for measure, ones in found if not all(map(_nothing, ones))]
    rows = [row for measure, ones in apart for row in _rows(measure, ones)]
    head = [html.Th(name, scope="col", title=title) for name, title in COLUMNS]
    table = html.Table(
        [
            html.Thead(html.Tr(head)),
            html.Tbody(rows),
        ],
        className="numbers contrasts",
    )
    label = f"Differences from {baseline}, as a table"
    download = numbers_link("Download as CSV", "contrasts", label="contrasts")
    note = f"No model differs at all in: {', '.join(alike)}." if alike else ""
    return html.Div(
        [
            html.P([_words(found, baseline), " ", download], className="caption"),
            html.Div(
                table,
                className="scroll wide",
                tabIndex="0",
                role="region",
                **attributes(aria_label=label),
            ),
            html.P(note, className="caption"),
        ]
    )


def _words(found: Found, baseline: str) -> str:
    notes = sorted({one.retrained.note for _, ones in found for one in ones} - {""})
    few = f" Here: {'; '.join(notes)}." if notes else ""
    return (
        f"Mean over the middle half of the layers, minus that of {baseline}, with its 95 % "
        f"interval. “On new text” is about these checkpoints; “Trained again” is about the "
        f"architectures and needs three seeds of each.{few} “Higher” and “lower” are said where "
        f"p, adjusted by Holm over all rows, is 0.05 or less."
    )


def _nothing(one: Comparison) -> bool:
    return float(one.text.mean) == 0 and float(one.text.low) == float(one.text.high)


def _rows(measure: Measure, ones: Sequence[Comparison]) -> list[html.Tr]:
    unit = "" if measure.units in ("", "1") else measure.units
    link = choice_link(measure.long_name, statistic=measure.name)
    name = html.Th([link, html.Span(unit, className="unit")], scope="rowgroup", rowSpan=len(ones))
    same = _estimate(ones[0].same, rowSpan=len(ones))
    return [
        html.Tr(
            [
                *([name, same] if at == 0 else []),
                html.Th(one.arm, scope="row"),
                _estimate(one.text),
                _estimate(one.retrained),
                html.Td(_said(one), className=f"verdict {_tone(one.verdict)}"),
            ],
            className="first" if at == 0 else "",
        )
        for at, one in enumerate(ones)
    ]


def _said(one: Comparison) -> str:
    """Return the verdict without the note that the caption gives for all."""
    return one.verdict.removesuffix(f" ({one.retrained.note})")


def _estimate(found: Estimate | None, **place: Any) -> html.Td:
    if found is None or not np.isfinite(float(found.mean)):
        return html.Td("–", className="number", **place)
    parts: list[Any] = [html.Span(signed(float(found.mean)), className="mean")]
    if np.isfinite(float(found.low)) and float(found.low) < float(found.high):
        ends = interval(float(found.low), float(found.high))
        parts.append(html.Span(ends, className="interval"))
    quiet = "" if found.supports_claims else " muted"
    title = found.note or found.estimand
    return html.Td(parts, className=f"number{quiet}", title=title, **place)


def _tone(verdict: str) -> str:
    return next((word for word in ("higher", "lower") if verdict.startswith(word)), "undecided")
