"""What a reader looks at: one frozen value, written in the address and read back from it.

Whatever an address says is untrusted: a name must be in the menu, a number is clamped, and
everything else falls back to what the explorer shows first.
"""

from dataclasses import dataclass, replace
from typing import final
from urllib.parse import parse_qs, urlencode

from .menu import Menu

EVERY_SPAN = -1
ORDERS = ("highest", "lowest")
_LONGEST_QUERY = 2000


@final
@dataclass(frozen=True)
class Selection:
    """One view of the archive.

    `statistic` is the measure in question and `other` the one set against it; `span` is the bin
    of visible keys, or `EVERY_SPAN`; `layer` and `head` name the head in question; `sequence` is
    a display sequence; `baseline` is the model others are held against; `order` says which heads
    a list begins with.
    """

    run: str
    probe: str
    statistic: str
    other: str
    span: int
    layer: int
    head: int
    sequence: int
    baseline: str
    order: str

    @classmethod
    def from_query(cls, query: str, menu: Menu) -> "Selection":
        """Read an address's query; what it does not say, or may not say, is the default."""
        said = _said(query)
        run = menu.run(said.get("run", ""))
        names = [found.name for found in menu.layer_measures]
        first = _listed(said.get("statistic"), names)
        rest = [name for name in names if name != first] or names
        models = list(dict.fromkeys(choice.model for choice in menu.runs))
        return cls(
            run=run.name,
            probe=_listed(said.get("probe"), menu.probes),
            statistic=first,
            other=_listed(said.get("other"), rest, otherwise=_default_other(rest)),
            span=_span(said.get("span"), menu),
            layer=_clamped(said.get("layer"), run.layers),
            head=_clamped(said.get("head"), run.heads),
            sequence=_clamped(said.get("sequence"), 8),
            baseline=_listed(said.get("baseline"), models),
            order=_listed(said.get("order"), ORDERS),
        )

    def to_query(self) -> str:
        """Write the whole selection as an address's query, without the question mark."""
        span = "all" if self.span == EVERY_SPAN else self.span
        return urlencode({**vars(self), "span": span})

    def but(self, **changes: str | int) -> "Selection":
        """Return the same view with some of it changed."""
        return replace(self, **changes)


def _said(query: str) -> dict[str, str]:
    """Return the first value of each parameter of a query that is not absurdly long."""
    try:
        found = parse_qs(query.removeprefix("?")[:_LONGEST_QUERY], max_num_fields=50)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


def _listed(value: str | None, allowed: "list[str] | tuple[str, ...]", otherwise: str = "") -> str:
    """Return a value that is allowed, or the default."""
    return value if value is not None and value in allowed else otherwise or allowed[0]


def _default_other(names: list[str]) -> str:
    """Prefer a number about sinks to set the first statistic against."""
    return next((name for name in names if name == "first_key_mass"), names[0])


def _clamped(value: str | None, count: int) -> int:
    """Return the nearest index below a count; what is no whole number is index 0."""
    text = (value or "").strip()
    if not text.lstrip("-").isdecimal() or len(text) > 12 or not text.isascii():
        return 0
    try:
        number = int(text)
    except ValueError:
        return 0
    return max(0, min(number, count - 1))


def _span(value: str | None, menu: Menu) -> int:
    """Return a span of the menu; `all` is every span, and the default the menu's usual one."""
    if value == "all":
        return EVERY_SPAN
    return next((span for span in menu.spans if str(span) == value), menu.usual_span)
