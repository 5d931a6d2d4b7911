"""The chosen head in words and numbers, and the list of heads to choose from."""

from collections.abc import Sequence
from typing import Any

from ...catalogue import Measure
from ...components.attributes import attributes
from ...components.elements import html
from ...components.links import choice_link
from ...components.numbers import number, ranked
from ...state import Selection
from .ranking import Rank

LISTED = 12


def head_title(chosen: Selection, measure: Measure, rank: Rank | None, uniform: float) -> html.Div:
    """Return the name of the chosen head, its value, its rank and what uniform attention reads."""
    name = html.H2(f"Layer {chosen.layer}, head {chosen.head}", className="card-title")
    if rank is None:
        return html.Div([name, html.P(f"{measure.long_name} does not apply here.")])
    unit = "" if measure.units in ("", "1") else f" {measure.units}"
    facts: list[Any] = [
        html.Span([number(rank.value), html.Small(unit)], className="big"),
        html.Span(
            [
                *_standing(rank),
                html.Br(),
                f"uniform attention: {number(uniform)}"
                if uniform == uniform
                else "no uniform reference",
            ],
            className="rank",
        ),
    ]
    return html.Div(
        [name, html.P(measure.long_name, className="muted"), html.P(facts, className="facts")]
    )


def _standing(rank: Rank) -> list[Any]:
    if rank.of == 1:
        return [html.Strong("the only head"), " of this model"]
    if rank.level:
        return [html.Strong("no rank"), f" — all {rank.of} heads have the same value"]
    return [html.Strong(_place(rank)), f" — {rank.ordinal} of this model"]


def _place(rank: Rank | None) -> str:
    if rank is None or rank.of == 1:
        return ""
    return "all equal" if rank.level else f"{rank.place} of {rank.of}"


def head_numbers(found: Sequence[tuple[Measure, Rank | None]], statistic: str) -> html.Table:
    """Return every measure of the chosen head with its rank."""
    rows = [
        html.Tr(
            [
                html.Th(
                    choice_link(measure.long_name, statistic=measure.name),
                    scope="row",
                ),
                html.Td(number(rank.value) if rank else "–", className="number"),
                html.Td(_place(rank), className="number muted"),
            ],
            className="chosen" if measure.name == statistic else "",
        )
        for measure, rank in found
    ]
    head = html.Tr([html.Th("Statistic"), html.Th("Value"), html.Th("Rank")])
    return html.Table([html.Thead(head), html.Tbody(rows)], className="numbers compact")


def finder(found: Sequence[Rank], chosen: Selection, measure: Measure) -> html.Div:
    """Return the heads with the largest or smallest value, and the chosen one in its place."""
    ordered = list(found) if chosen.order == "highest" else list(reversed(found))
    at_hand = (chosen.layer, chosen.head)
    kept = [rank for at, rank in enumerate(ordered) if at < LISTED or _of(rank) == at_hand]
    largest = max((abs(rank.value) for rank in ordered), default=0.0) or 1.0
    written = ranked([rank.value for rank in kept])
    rows: list[html.Tr] = []
    for at, rank in enumerate(kept):
        if at == LISTED and ordered.index(rank) > LISTED:
            rows.append(html.Tr(html.Td("…", colSpan=4), className="gap"))
        width, here = abs(rank.value) / largest, _of(rank) == at_hand
        rows.append(_found(rank, written[at], width=width, here=here))
    head = html.Tr([html.Th("Rank"), html.Th("Head"), html.Th(measure.long_name, colSpan=2)])
    more = len(ordered) - len(kept)
    note = f"{more} more heads in the map." if more > 0 else ""
    return html.Div(
        [
            html.Table([html.Thead(head), html.Tbody(rows)], className="numbers finder"),
            html.P(note, className="caption"),
        ]
    )


def _found(rank: Rank, written: str, *, width: float, here: bool) -> html.Tr:
    name = f"L{rank.layer} H{rank.head}"
    link = choice_link(
        name,
        label=f"{name}: layer {rank.layer}, head {rank.head}",
        current=here,
        layer=rank.layer,
        head=rank.head,
    )
    bar = html.I(style={"width": f"{width * 100:.1f}%"}, **attributes(aria_hidden="true"))
    return html.Tr(
        [
            html.Td(_place(rank), className="muted"),
            html.Td(link),
            html.Td(written, className="number"),
            html.Td(bar, className="bar-cell"),
        ],
        className="chosen" if here else "",
    )


def _of(rank: Rank) -> tuple[int, int]:
    return rank.layer, rank.head
