"""What the models show, before any figure: sinks, drains and verdicts, each with its evidence."""

from typing import Any

from dva_lens.reports.findings import (
    Finding,
    Findings,
    findings_of,
    measured_on,
    traits_of,
)
from dva_lens.results.display import displayed_tokens
from dva_lens.results.edges import edged_sequences
from dva_lens.views.figure import Row
from dva_lens.views.words import plain

from ...components.elements import html
from ...components.links import choice_link
from ...inspector.readings import sink_table
from ...library import Library
from ...state import MODES, Selection

TITLE = "What these models show"


def found(library: Library, chosen: Selection) -> Findings:
    """Return the findings on the chosen text, in the sentences of the report."""
    table = library.remembered(sink_table)(chosen)
    measured, untrained = measured_on(library.archive, chosen.text)
    traits = traits_of(library.archive)
    return findings_of(measured, untrained=untrained, traits=traits, table=table)


def cards(library: Library, chosen: Selection) -> html.Ul:
    """Return one card per finding, with a link to where its numbers are drawn."""
    return html.Ul(
        [_card(entry, library, chosen) for entry in library.remembered(found)(chosen).entries],
        className="findings",
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


def _card(entry: Finding, library: Library, chosen: Selection) -> html.Li:
    badge = "within the scatter of seeds" if entry.muted else entry.verdict
    word = "sink" if entry.verdict == "sink" else "decided" if _decided(entry) else "open"
    parts: list[Any] = [
        html.Span(badge, className=f"badge {'muted' if entry.muted else word}"),
        html.P(entry.words),
    ]
    if entry.place:
        parts.append(html.P(_evidence(entry, library, chosen), className="evidence"))
    return html.Li(parts, className="finding muted" if entry.muted else "finding")


def _evidence(entry: Finding, library: Library, chosen: Selection) -> list[Any]:
    """Return links to where the numbers of a finding are drawn, the closest look first."""
    place: dict[str, Any] = dict(entry.place)
    links = [("See the comparison", "/compare", place)]
    if entry.about == "sink":
        links = [("See this head", "/heads", place)]
        seen = _in_the_text(entry, library, chosen)
        if seen is not None:
            links.insert(0, ("See who looks at it", "/tokens", place | seen))
    return [
        choice_link(name, path=path, label=f"{name}: {entry.model}", **chosen_there)
        for name, path, chosen_there in links
    ]


def _in_the_text(
    entry: Finding, library: Library, chosen: Selection
) -> dict[str, str | int] | None:
    """Return which text shows the key of a finding, and which token it is there, locked.

    None where no edges were kept, so that there is nothing to see at a token.
    """
    parts = library.as_measured(chosen.text).parts
    held = next(part.data for part in parts if part.label == entry.place["run"])
    position, token = int(entry.numbers["position"]), str(entry.numbers["token"])
    for sequence in range(edged_sequences(held)):
        words = displayed_tokens(held, sequence)
        place = position if position >= 0 else words.index(token) if token in words else -1
        if 0 <= place < len(words):
            return {"sequence": sequence, "token": place, "text": chosen.text, "mode": MODES[0]}
    return None


def _decided(entry: Finding) -> bool:
    return any(word in entry.verdict for word in ("higher", "lower"))
