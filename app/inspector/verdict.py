"""Whether a head has a sink, where, and whether the value there is drained: one small card."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dva_lens.reports.sentences import key_words
from dva_lens.statistics.sinks import sink_bar

from ..components.attributes import attributes
from ..components.elements import html
from ..components.numbers import interval, number


def verdict(row: Mapping[str, Any] | None) -> html.Div:
    """Return the card of a head; `row` is its row among the sinks, None where not measured."""
    if row is None:
        return no_verdict("What heads give the first key was not measured here.")
    word = "sink" if row["sink"] else "no sink here"
    where = key_words(row)
    head = [
        html.Span(word, className=f"badge {'sink' if row['sink'] else 'open'}"),
        html.Span(where[:1].upper() + where[1:], className="where"),
    ]
    least = "" if row["position"] == 0 else "at least "
    facts = [
        ("Receives", [least, *_with_ends(row["mass"], row["low"], row["high"])]),
        ("Uniform attention", number(row["uniform"])),
        ("Untrained model", number(row["untrained"]) if _is(row["untrained"]) else "not measured"),
        *_drain(row),
    ]
    why = html.P(f"{row['reason'][:1].upper()}{row['reason'][1:]}.", className="caption")
    return html.Div(
        [
            html.P(head, className="verdict-head"),
            _gauge(row),
            html.Dl([part for name, said in facts for part in (html.Dt(name), html.Dd(said))]),
            *([why] if row["reason"] else []),
        ],
        className="verdict-card",
    )


def no_verdict(why: str) -> html.Div:
    """Return the card of a head of which nothing can be said, and why."""
    return html.Div(html.P(why, className="caption"), className="verdict-card")


def verdict_words(row: Mapping[str, Any] | None) -> str:
    """Return the verdict in a few words."""
    if row is None:
        return "not measured"
    return f"sink on {key_words(row)}" if row["sink"] else "no sink here"


def _with_ends(value: float, low: float, high: float) -> list[Any]:
    ends = [html.Span(f" {interval(low, high)}", className="ends")] if _is(low) else []
    return [number(value), *ends]


def _drain(row: Mapping[str, Any]) -> list[tuple[str, Any]]:
    size = row.get("drain", np.nan)
    if not _is(size):
        return [("Its value", "not measured")]
    ends = _with_ends(size, row["drain_low"], row["drain_high"])
    return [("Its value", html.Strong(row["drained"])), ("of the median size", ends)]


def _gauge(row: Mapping[str, Any]) -> html.Div:
    """Return the mass with its interval from 0 to 1, and the bar that a sink must exceed."""
    bar = float(sink_bar(np.asarray(row["uniform"]), np.asarray(row["untrained"])))
    low, high = (row[name] if _is(row[name]) else row["mass"] for name in ("low", "high"))
    marks = [
        html.I(className="fill", style={"width": _percent(row["mass"])}),
        html.I(
            className="whisker",
            style={"left": _percent(low), "width": _percent(max(0.0, high - low))},
        ),
    ]
    if _is(bar):
        marks.append(html.I(className="bar", style={"left": _percent(bar)}))
    return html.Div(
        marks, className="gauge", title="Line: what a sink must surely exceed",
        **attributes(aria_hidden="true"),
    )  # fmt: skip


def _percent(share: float) -> str:
    return f"{min(1.0, max(0.0, share)) * 100:.1f}%" if _is(share) else "0%"


def _is(value: float) -> bool:
    return bool(np.isfinite(value))
