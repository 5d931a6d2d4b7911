"""What a change did, beside its control: numbers with intervals, a verdict, and token by token."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dva_lens.views.characters import visible

from ...components.attributes import attributes
from ...components.elements import html
from ...components.numbers import interval, number, signed

CHANGED = {"intervention": "The change", "control": "Its control", "difference": "Difference"}
STRONGEST = 50
"""Per cent of colour under the token whose loss changes most."""
MOST_TOKENS = 1024


def effect(found: Mapping[str, Any], title: str) -> list[Any]:
    """Return the effects of a change, as the document of an intervention holds them."""
    effects = found["effects"]
    table = html.Table(
        [
            html.Thead(html.Tr([html.Th(name, scope="col") for name in ("", *CHANGED.values())])),
            html.Tbody([_row(name, each) for name, each in effects.items()]),
        ],
        className="numbers compact live-effect",
    )
    box = attributes(aria_label=f"Effect of {title}")
    return [
        html.Div(table, className="scroll", tabIndex="0", role="region", **box),
        html.P(" ".join((verdict(effects["loss"]), *_about(found))), className="caption"),
        *_tokens(found["sequences"]),
    ]


def verdict(loss: Mapping[str, Any]) -> str:
    """Return in words whether a change did something else to the loss than its control."""
    found = loss["difference"]
    low, high = found["low"], found["high"]
    if low is None or high is None:
        return "Undecided: one text has no interval; add another text to get one."
    if low > 0:
        return "With the change the loss is higher than with its control."
    if high < 0:
        return "With the change the loss is lower than with its control."
    return "The loss does not differ detectably between the change and its control."


def _row(name: str, each: Mapping[str, Any]) -> html.Tr:
    unit = "" if each["units"] in ("", "1") else each["units"]
    words = [name.capitalize(), html.Span(unit, className="unit")]
    title = html.Th(words, scope="row", title=each["meaning"])
    return html.Tr([title, *(_cell(each[changed]) for changed in CHANGED)])


def _cell(found: Mapping[str, Any]) -> html.Td:
    low, high = found["low"], found["high"]
    parts = [
        html.Span("–" if found["mean"] is None else signed(found["mean"]), className="mean"),
        html.Span(
            "no interval" if low is None or high is None else interval(low, high),
            className="interval",
        ),
    ]
    return html.Td(parts, className="number")


def _about(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"Control: {found['control']}; mean of {found['draws']}."
    mass = found["mass"]
    if mass is not None:
        yield (
            f"The change took {number(mass['removed'])} of weight per query and its control "
            f"{number(mass['removed_by_control'])}."
        )
    note = found["effects"]["loss"]["note"]
    if note:
        yield f"Interval: {note}."


def _tokens(sequences: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return the text, each token shaded by what the change does to its loss."""
    known = [value for each in sequences for value in _losses(each) if value is not None]
    most = max(map(abs, known), default=0.0)
    if not most:
        return []
    said = (
        f"Each token is shaded by how much the change raises (orange) or lowers (violet) the loss "
        f"of predicting it; the strongest colour is {number(most)} nat."
    )
    texts = [
        html.P(
            [_token(*pair, most) for pair in zip(each["tokens"], _losses(each), strict=False)],
            className="live-tokens",
        )
        for each in sequences
    ]
    caption = html.P(said, className="caption")
    return [html.Details([html.Summary("Token by token"), caption, *texts])]


def _losses(sequence: Mapping[str, Any]) -> list[float | None]:
    """Return the change of the loss of predicting each token; the first is not predicted."""
    changes = sequence["changes"]["loss"]["intervention"]
    return [None, *changes[:-1]][:MOST_TOKENS]


def _token(token: str, change: float | None, most: float) -> html.Span:
    if change is None:
        return html.Span(visible(token))
    way = "raised" if change > 0 else "lowered"
    share = f"{STRONGEST * abs(change) / most:.0f}%"
    return html.Span(
        visible(token), className=way, style={"--change": share}, title=f"{signed(change)} nat"
    )
