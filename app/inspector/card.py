"""The inspector's words: name, verdict, numbers and strongest edges of the chosen head."""

from typing import Any

from dva_lens.results.schema import ArchiveError

from ..components.elements import html
from ..components.links import choice_link
from ..components.numbers import interval, number, signed
from ..describe import run_words
from ..head import NO_HEAD, Head
from ..library import Library, NothingToShowError
from ..page import Words
from ..state import MODES, Selection
from ..unattended import IN_BRIEF, unattended
from .readings import HeadNumber, lines, sink_of
from .strongest import edges_of, strongest
from .verdict import no_verdict, verdict, verdict_words


def inspect(library: Library, chosen: Selection) -> html.Div:
    """Return all that the inspector says of the chosen head, and of the pinned one beside it."""
    own, pin = chosen.at_hand, chosen.pinned
    row, edges = sink_of(library, chosen, own), edges_of(library, chosen)
    if why := unattended(library, own.run, chosen.text):
        beside = [] if pin is None else [_pinned(library, chosen, pin)]
        return html.Div([_title(library, own, pin), no_verdict(why), *beside])
    key = -1 if row is None or edges is None else _place(row, edges["token"].values)
    found = lines(library, chosen)
    parts: list[Any] = [
        _title(library, own, pin),
        verdict(row),
        html.P(_links(chosen, key), className="evidence"),
    ]
    if pin is not None:
        parts += [_pinned(library, chosen, pin)]
    parts += [
        html.H3("Numbers"),
        _numbers(found, chosen, pin),
        html.H3(f"Strongest edges in text {chosen.sequence}"),
        strongest(edges),
    ]
    return html.Div(parts)


def bar(library: Library, chosen: Selection) -> list[Any]:
    """Return the line that stands for the inspector where there is no room for it."""
    return [html.Strong(chosen.at_hand.name), f" {chosen.run} · {_verdict(library, chosen)}"]


def spoken(library: Library, chosen: Selection) -> str:
    """Return what is said aloud about the chosen head."""
    head = f"Layer {chosen.layer}, head {chosen.head} of {chosen.run}"
    return f"{head}: {_verdict(library, chosen)}."


def _verdict(library: Library, chosen: Selection) -> str:
    try:
        if unattended(library, chosen.run, chosen.text):
            return IN_BRIEF
        return verdict_words(sink_of(library, chosen, chosen.at_hand))
    except (NothingToShowError, ArchiveError):
        return "not measured on this text"


def _title(library: Library, head: Head, pin: Head | None) -> html.Div:
    if pin == head:
        action = _action("Unpin", "Unpin this head", pin=NO_HEAD)
    else:
        action = _action("Pin", f"Pin {head.name} of {head.run}", pin=str(head))
    return html.Div(
        [
            html.Div([html.H2(head.name), action], className="inspector-title"),
            html.P([html.Strong(head.run), " ", run_words(library, head.run)], className="who"),
        ]
    )


def _action(name: str, label: str, **chosen: Any) -> html.A:
    return choice_link(name, label=label, class_name="action", **chosen)


def _links(chosen: Selection, key: int) -> list[Any]:
    seen = {"token": key, "mode": MODES[0]} if key >= 0 else {}
    links = [
        ("Who looks at it" if seen else "In the text", "/tokens", seen),
        ("Among heads", "/heads", {}),
        ("Its values", "/values", {}),
    ]
    at = {"run": chosen.run, "layer": chosen.layer, "head": chosen.head}
    return [choice_link(name, path=path, **at, **more) for name, path, more in links]


def _place(row: Any, tokens: Any) -> int:
    """Return where the key of a verdict stands in the text shown, -1 where it does not."""
    if row["position"] >= 0:
        return row["position"] if row["position"] < len(tokens) else -1
    words = [str(token) for token in tokens]
    return words.index(row["token"]) if row["token"] in words else -1


def _pinned(library: Library, chosen: Selection, pin: Head) -> html.Div:
    why = unattended(library, pin.run, chosen.text)
    row = None if why else sink_of(library, chosen, pin)
    place: dict[str, Any] = {"run": pin.run, "layer": pin.layer, "head": pin.head}
    said_of_swap = "Choose the pinned head and pin this one"
    swap = _action("Swap", said_of_swap, pin=str(chosen.at_hand), **place)
    free = _action("Unpin", f"Unpin {pin.name} of {pin.run}", pin=NO_HEAD)
    said = IN_BRIEF if why else verdict_words(row)
    mass = f", {number(row['mass'])}" if row is not None else ""
    drained = f"; value {row['drained']}" if row is not None else ""
    return html.Div(
        [
            html.Div([html.H3(["Pinned: ", pin.name]), swap, free], className="inspector-title"),
            html.P([html.Strong(pin.run), " ", run_words(library, pin.run)], className="who"),
            html.P(f"{said[:1].upper()}{said[1:]}{mass}{drained}.", className="who"),
        ],
        className="pinned-card",
    )


def _numbers(found: tuple[HeadNumber, ...], chosen: Selection, pin: Head | None) -> html.Div:
    if not found:
        return html.Div(html.P("This head has no numbers on this text.", className="caption"))
    heads = ["Statistic", chosen.at_hand.name, "uniform"]
    if pin is not None:
        heads = [chosen.at_hand.name, "pinned", "difference"]
    rows = [row for line in found for row in _rows(line, chosen, alone=pin is None)]
    span = "all queries" if chosen.span < 0 else "queries of the chosen number of keys"
    note = f"Mean over {span}, with the 95 % interval for this checkpoint on new text."
    if pin is not None and chosen.pinned is not None:
        paired = any(line.minus.known for line in found)
        note += (
            " Difference: chosen minus pinned, paired text by text; bold where its interval "
            "leaves 0 out."
            if paired
            else " The two were not read from the same tokens, so they are not subtracted."
        )
    return html.Div(
        [
            html.Table(
                [
                    html.Thead(html.Tr([_heading(name) for name in heads])),
                    html.Tbody(rows),
                ],
                className="numbers compact" if pin is None else "numbers compact pair",
            ),
            html.P(note, className="caption"),
        ]
    )


def _heading(name: str) -> html.Th:
    return html.Th(name, scope="col", className="" if name == "Statistic" else "number")


def _rows(line: HeadNumber, chosen: Selection, *, alone: bool) -> list[html.Tr]:
    """Return a statistic in one row, or under its name where two heads stand side by side."""
    measure = line.measure
    unit = "" if measure.units in ("", "1") else measure.units
    name = [measure.long_name, html.Span(unit, className="unit")]
    here = "chosen" if measure.name == chosen.statistic else ""
    title = html.Th(name, scope="row", title=measure.meaning)
    if alone:
        cells = [_cell(line.own), html.Td(number(line.uniform), className="number muted")]
        return [html.Tr([title, *cells], className=here)]
    title = html.Th(name, scope="rowgroup", colSpan=3, title=measure.meaning)
    return [
        html.Tr(title, className=f"{here} name"),
        html.Tr([_cell(line.own), _cell(line.other), _minus(line)], className=here),
    ]


def _cell(reading: Any) -> html.Td:
    parts: list[Any] = [html.Span(number(reading.value), className="mean")]
    if reading.ends is not None:
        parts.append(html.Span(interval(*reading.ends), className="interval"))
    return html.Td(parts, className="number")


def _minus(line: HeadNumber) -> html.Td:
    found = line.minus
    if not found.known:
        return html.Td("–", className="number muted")
    ends = found.ends
    sure = ends is not None and (ends[0] > 0 or ends[1] < 0)
    parts: list[Any] = [html.Span(signed(found.value), className="mean" if sure else "mean quiet")]
    if ends is not None:
        parts.append(html.Span(interval(*ends), className="interval"))
    return html.Td(parts, className="number" if sure else "number muted")


INSPECTOR = Words("inspector", inspect)
BAR = Words("inspector-bar", bar)
