"""What the models show, before any figure: sinks, drains and verdicts, each with its evidence."""

from typing import Any

from dash import html

from dva_lens.reports.findings import Finding, Findings, findings
from dva_lens.views.figure import Row
from dva_lens.views.words import plain

from ...components.links import choice_link
from ...library import Library
from ...state import Selection

TITLE = "What these models show"


def found(library: Library, chosen: Selection) -> Findings:
    """Return the findings on the chosen text, in the sentences of the report."""
    library.as_measured(chosen.text)  # a text that no run was measured on is said on the page
    return findings(library.archive, chosen.text)


def cards(library: Library, chosen: Selection) -> html.Ul:
    """Return one card per finding, with a link to where its numbers are drawn."""
    return html.Ul(
        [_card(entry) for entry in library.remembered(found)(chosen).entries], className="findings"
    )


def rows(library: Library, chosen: Selection) -> list[Row]:
    """Return the numbers of the findings about sinks, and the sentences of all."""
    numbers = ("seed", "layer", "head", "token", "mass", "low", "high", "uniform", "untrained",
               "drain", "drain_low", "drain_high")  # fmt: skip
    return [
        {
            "about": entry.about,
            "model": entry.model,
            "verdict": entry.verdict,
            **{name: plain(entry.numbers.get(name)) for name in numbers},
            "words": entry.words,
        }
        for entry in library.remembered(found)(chosen).entries
    ]


def _card(entry: Finding) -> html.Li:
    badge = "within the scatter of seeds" if entry.muted else entry.verdict
    word = "sink" if entry.verdict == "sink" else "decided" if _decided(entry) else "open"
    parts: list[Any] = [
        html.Span(badge, className=f"badge {'muted' if entry.muted else word}"),
        html.P(entry.words),
    ]
    if entry.place:
        path = "/heads" if entry.about == "sink" else "/compare"
        name = "See this head" if entry.about == "sink" else "See the comparison"
        label = f"{name}: {entry.model}"
        evidence: dict[str, Any] = dict(entry.place)
        parts.append(choice_link(name, path=path, label=label, **evidence))
    return html.Li(parts, className="finding muted" if entry.muted else "finding")


def _decided(entry: Finding) -> bool:
    return any(word in entry.verdict for word in ("higher", "lower"))
