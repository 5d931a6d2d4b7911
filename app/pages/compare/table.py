"""The table of differences from a baseline, with a verdict on each."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dva_lens.results.compare import Comparisons
from dva_lens.statistics.inference.compare import Comparison
from dva_lens.statistics.inference.estimate import Estimate

from ...catalogue import Catalogue
from ...components.attributes import attributes
from ...components.elements import html
from ...components.links import choice_link, numbers_link
from ...components.numbers import interval, signed

COLUMNS = (
    ("Model", ""),
    ("Verdict", "At 5 %, adjusted by Holm over the primary statistics"),
    ("On new text", "These checkpoints, other texts of the same kind"),
    ("Retrained", "These architectures, trained with other seeds"),
)
SAME = "Baseline against itself: one half of its seeds minus the other half"
OVER = "The middle half of the layers, or the slope from first to last"
Group = tuple[str, str, Sequence[Comparison]]
"""A statistic, a contrast over depth, and what was found for every model."""


def contrast_table(found: Comparisons, catalogue: Catalogue) -> html.Div:
    """Return every statistic of every model minus the baseline, those that never differ apart."""
    groups = [
        (name, contrast, found.of(name, contrast=contrast))
        for name in found.statistics
        for contrast in found.contrasts
    ]
    held = [group for group in groups if group[2]]
    alike = [name for name in found.statistics if all(map(_nothing, found.of(name)))]
    bodies = [_body(group, catalogue) for group in held if group[0] not in alike]
    table = html.Table(
        [
            html.Thead(
                html.Tr([_title(*column, is_number=at > 1) for at, column in enumerate(COLUMNS)])
            ),
            *bodies,
        ],
        className="numbers contrasts",
    )
    download = numbers_link("Download as CSV", "contrasts", label="contrasts")
    label = f"Differences from {found.baseline}, as a table"
    return html.Div(
        [
            html.P([_words(found), " ", download], className="caption"),
            html.Div(
                table,
                className="scroll wide",
                tabIndex="0",
                role="region",
                **attributes(aria_label=label),
            ),
            html.P(_notes(found, alike, catalogue), className="caption"),
        ]
    )


def _words(found: Comparisons) -> str:
    notes = sorted({one.retrained.note for one in found.entries} - {""})
    few = f" Here: {'; '.join(notes)}." if notes else ""
    return (
        f"Each model minus {found.baseline} {found.when}, over all queries, with its 95 % "
        f"interval. “On new text” is about these checkpoints; “Retrained” is about the "
        f"architectures and needs three seeds of each.{few} The verdict is “higher” or “lower” "
        f"where p ≤ 0.05, adjusted by Holm over the {found.family} contrasts of the primary "
        f"statistics; for the others, marked “exploratory”, by Benjamini and Hochberg within the "
        f"statistic."
    )


def _notes(found: Comparisons, alike: Sequence[str], catalogue: Catalogue) -> str:
    names = ", ".join(title_of(name, catalogue) for name in alike)
    parts = [
        f"No model differs at all in: {names}." if names else "",
        *(f"{title_of(name, catalogue)}: {why}." for name, why in found.refused.items()),
        found.note,
    ]
    return " ".join(part for part in parts if part)


def title_of(name: str, catalogue: Catalogue) -> str:
    """Return what a statistic of the archive is called, the name itself where unknown."""
    known = {measure.variable: measure.variable_name for measure in catalogue.measures}
    return known.get(name, name)


def _nothing(one: Comparison) -> bool:
    return float(one.text.mean) == 0 and float(one.text.low) == float(one.text.high)


def _title(name: str, about: str, *, is_number: bool) -> html.Th:
    return html.Th(name, scope="col", title=about, className="number" if is_number else "")


def _body(group: Group, catalogue: Catalogue) -> html.Tbody:
    """Return what was found for one statistic and contrast, under a heading of its own."""
    return html.Tbody([_heading(group, catalogue), *map(_row, group[2])])


def _heading(group: Group, catalogue: Catalogue) -> html.Tr:
    name, contrast, ones = group
    measures = {measure.variable: measure for measure in catalogue.layer_measures}
    title, unit = title_of(name, catalogue), ""
    label: Any = title
    if name in measures:
        unit = "" if measures[name].units in ("", "1") else measures[name].units
        label = choice_link(title, statistic=measures[name].name)
    explored = "" if ones[0].primary else "exploratory"
    parts = [label, *(html.Span(words, className="unit") for words in (unit, explored) if words)]
    same = html.Span(["A/A ", *_numbers(ones[0].same)], title=SAME, className="same")
    over = html.Span(contrast, title=OVER, className="over")
    return html.Tr(
        html.Th([*parts, over, same], scope="rowgroup", colSpan=len(COLUMNS)), className="first"
    )


def _row(one: Comparison) -> html.Tr:
    return html.Tr(
        [
            html.Th(one.model, scope="row"),
            html.Td(_said(one), className=f"verdict {'muted' if one.muted else one.word}"),
            _estimate(one.text),
            _estimate(one.retrained),
        ]
    )


def _said(one: Comparison) -> str:
    """Return the verdict without the note that the caption gives for all."""
    return one.verdict.removesuffix(f" ({one.retrained.note})")


def _estimate(found: Estimate | None) -> html.Td:
    quiet = "" if found is None or found.supports_claims else " muted"
    title = "" if found is None else found.note or found.estimand
    return html.Td(_numbers(found), className=f"number{quiet}", title=title)


def _numbers(found: Estimate | None) -> list[Any]:
    """Return an estimate and its interval, a dash where there is none."""
    if found is None or not np.isfinite(float(found.mean)):
        return ["–"]
    parts: list[Any] = [html.Span(signed(float(found.mean)), className="mean")]
    if np.isfinite(float(found.low)) and float(found.low) < float(found.high):
        ends = interval(float(found.low), float(found.high))
        parts += [" ", html.Span(ends, className="interval")]
    return parts
