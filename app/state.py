"""What a reader looks at: one frozen value, written in the address and read back from it.

Whatever an address says is untrusted: a name must be in the catalogue, a number is clamped, and
everything else falls back to what the explorer shows first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from threading import Lock
from typing import Any, Generic, TypeVar, final
from urllib.parse import parse_qs, urlencode

from dva_lens.diagnostics.interventions import NAMES as CHANGES
from dva_lens.results.compare import usual_baseline

from .area import WHOLE, area_named
from .catalogue import Catalogue, Choice
from .head import NO_HEAD, Head, head_named, several_heads
from .live.results import MOST, live_number, model_of
from .shown_text import NO_TEXT, shown_text
from .untrusted import NONE, clamped, listed, whole_number

EVERY_SPAN = -1
NO_TOKEN = NONE
LAST_STEP = NONE
SEQUENCES = 8
"""Sequences that addresses can name; archives keep the tokens of the first ones."""
ORDERS = ("highest", "lowest")
PLACES = ("layer", "head")
"""What models are compared by."""
MODES = ("raw", "sink-removed", "value-weighted", "excess")
"""How the weights of edges are shown; the browser does it."""
LEASTS = ("0.05", "0.1", "0.2", "0.3", "0.5")
"""How much of what a head writes a line of the contribution graph has to carry."""
CELLS = ("mean", "largest")
"""What the cells of a pattern say of the weights in them."""
RENAMED = {"probe": "text"}
"""Parameters of older addresses, and what they are called now."""
_LONGEST_QUERY = 2000
Result = TypeVar("Result")


@dataclass(frozen=True)
class Selection:
    """One view of the archive.

    `text` is the evaluation text; `statistic` is the measure in question and `other` the one set
    against it; `span` is the context-length bin, or `EVERY_SPAN`; `layer` and `head` name the
    head in question; `sequence` is a display sequence; `baseline` is the model others are
    compared with; `order` says which heads a list begins with; `token` is the token that is
    locked, or `NO_TOKEN`, and `mode` one of `MODES`; `pin` is the head that is pinned beside the
    chosen one, as `str(Head)`, or `NO_HEAD`; `by` is one of `PLACES`;
    `step` is the training step that is looked at, or `LAST_STEP`; `brush` names
    the heads that are marked everywhere, or `NO_HEAD`; `model` is the one to run on a typed
    text, and `change` what to change in it; `area` is the part of the pattern that is looked at,
    as `str(Area)`, or `WHOLE`, and `cells` one of `CELLS`; `least` is
    one of `LEASTS`; `beside` is the text that is set
    beside the chosen one, as `str(ShownText)`, or `NO_TEXT`.

    It is not final because `Recording` is a selection that notes what is read of it.
    """

    run: str
    text: str
    statistic: str
    other: str
    span: int
    layer: int
    head: int
    sequence: int
    baseline: str
    order: str
    token: int = NO_TOKEN
    mode: str = MODES[0]
    pin: str = NO_HEAD
    by: str = PLACES[0]
    step: int = LAST_STEP
    brush: str = NO_HEAD
    model: str = ""
    change: str = CHANGES[0]
    area: str = WHOLE
    cells: str = CELLS[0]
    least: str = LEASTS[3]
    beside: str = NO_TEXT

    @classmethod
    def from_query(cls, query: str, catalogue: Catalogue) -> "Selection":
        """Read an address's query; what it does not say, or may not say, is the default."""
        said = _parameters(query)
        run = catalogue.run(said.get("run", ""))
        names = [found.name for found in catalogue.layer_measures]
        first = listed(said.get("statistic"), names)
        rest = [name for name in names if name != first] or names
        models = list(catalogue.first_runs)
        return cls(
            run=run.name,
            text=listed(said.get("text"), catalogue.texts),
            statistic=first,
            other=listed(said.get("other"), rest, otherwise=_default_other(rest)),
            span=_span(said.get("span"), catalogue),
            layer=clamped(said.get("layer"), run.layers),
            head=clamped(said.get("head"), run.heads),
            sequence=clamped(said.get("sequence"), SEQUENCES),
            baseline=listed(
                said.get("baseline"), models, otherwise=usual_baseline(models) if models else ""
            ),
            order=listed(said.get("order"), ORDERS),
            token=whole_number(said.get("token")),
            mode=listed(said.get("mode"), MODES),
            pin=_pin(said.get("pin"), catalogue),
            by=listed(said.get("by"), PLACES),
            step=whole_number(said.get("step")),
            brush=several_heads(said.get("brush", "")),
            model=listed(
                said.get("model"), catalogue.models, otherwise=_own_model(run, catalogue)
            ),
            change=listed(said.get("change"), CHANGES),
            area=area_named(said.get("area", "")),
            cells=listed(said.get("cells"), CELLS),
            least=listed(said.get("least"), LEASTS, otherwise=LEASTS[3]),
            beside=str(shown_text(said.get("beside", ""), catalogue, SEQUENCES) or NO_TEXT),
        )

    def to_query(self) -> str:
        """Write the whole selection as an address's query, without the question mark."""
        return urlencode({name: as_said(name, getattr(self, name)) for name in FIELDS})

    @property
    def at_hand(self) -> Head:
        """The chosen head."""
        return Head(self.run, self.layer, self.head)

    @property
    def pinned(self) -> Head | None:
        """The head that is pinned beside the chosen one, or None."""
        return head_named(self.pin)

    def but(self, **changes: str | int) -> "Selection":
        """Return the same view with some of it changed."""
        return replace(self, **changes)


def as_said(field: str, value: str | int) -> str:
    """Return the value of a field as addresses say it."""
    return _WORDS.get((field, value), str(value))


_WORDS: dict[tuple[str, str | int], str] = {
    ("span", EVERY_SPAN): "all",
    ("step", LAST_STEP): "last",
    ("token", NO_TOKEN): "none",
}
"""What is said instead of the numbers that stand for none or all."""
FIELDS = tuple(field.name for field in fields(Selection))


@final
class Recording(Selection):
    """A selection that notes which of its fields are read, and what they were."""

    def __init__(
        self,
        of: Selection,
        read: dict[str, Any] | None = None,
        changes: Mapping[str, str | int] | None = None,
    ) -> None:
        self.__dict__.update(_of=of, _read={} if read is None else read, _changes=changes or {})

    def __getattribute__(self, name: str) -> Any:
        if name not in FIELDS:
            return object.__getattribute__(self, name)
        own = object.__getattribute__(self, "__dict__")
        if name in own["_changes"]:
            return own["_changes"][name]
        return own["_read"].setdefault(name, getattr(own["_of"], name))

    def but(self, **changes: str | int) -> "Recording":
        """Return the same view with some of it changed; it notes into the same place."""
        own = self.__dict__
        return Recording(own["_of"], own["_read"], {**own["_changes"], **changes})

    @property
    def read(self) -> Mapping[str, Any]:
        """The fields that were read, in the order of reading."""
        return self.__dict__["_read"]


@final
class Remembered(Generic[Result]):
    """A function of a selection whose results are kept by the fields it read.

    A result holds for every selection that agrees in those fields, so nobody has to declare them:
    what a figure depends on is what it read. The oldest of more than `most` results is forgotten.
    """

    def __init__(self, compute: Callable[[Selection], Result], most: int = 256) -> None:
        self.compute = compute
        self._most = most
        self._results: dict[tuple[tuple[str, Any], ...], tuple[Result]] = {}
        self._lock = Lock()
        self._orders: dict[tuple[str, ...], None] = {}

    def __call__(self, chosen: Selection) -> Result:
        """Return the result for a selection, computed if none holds for it."""
        found = self.held(chosen)
        if found is not None:
            return found[0]
        recording = Recording(chosen)
        result = self.compute(recording)
        read = tuple(recording.read.items())
        with self._lock:
            while len(self._results) >= self._most:
                del self._results[next(iter(self._results))]
            self._orders[tuple(name for name, _ in read)] = None
            self._results[read] = (result,)
        return result

    def held(self, chosen: Selection) -> tuple[Result] | None:
        """Return the result that holds for a selection, in a tuple, or None; compute nothing."""
        for names in tuple(self._orders):
            read = tuple((name, getattr(chosen, name)) for name in names)
            found = self._results.get(read)
            if found is not None:
                return found
        return None

    @property
    def reads(self) -> frozenset[str]:
        """The fields that any result so far depends on."""
        return frozenset(name for names in self._orders for name in names)


def normalise_url(query: str) -> tuple[str, tuple[str, ...]]:
    """Return a query in today's names, and one sentence for every older name that it used."""
    said = _said(query)
    notes = []
    for old, new in RENAMED.items():
        if old in said:
            notes.append(f"This address says “{old}”; the parameter is now called “{new}”.")
            said.setdefault(new, said.pop(old))
            said.pop(old, None)
    return urlencode(said), tuple(notes)


def gone(query: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Say that an address leads to a live run that this server does not hold, if it does."""
    run = _parameters(query).get("run", "")
    number = live_number(run)
    if not number or any(run == held.name for held in catalogue.runs):
        return ()
    return (
        f"This address leads to live run {number}, which is not here any more: live runs last "
        f"until the explorer stops, and the latest {MOST} are kept. Run the text again on Live.",
    )


def names_a_head(query: str) -> bool:
    """Say whether an address names a run, a layer or a head, right or wrong."""
    return not {"run", "layer", "head"}.isdisjoint(_parameters(query))


def _parameters(query: str) -> dict[str, str]:
    return _said(normalise_url(query)[0])


def _said(query: str) -> dict[str, str]:
    """Return the first value of each parameter of a query that is not absurdly long."""
    try:
        found = parse_qs(query.removeprefix("?")[:_LONGEST_QUERY], max_num_fields=50)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


def _default_other(names: list[str]) -> str:
    """Prefer a number about sinks to set the first statistic against."""
    return "first_key_mass" if "first_key_mass" in names else next(iter(names), "")


def _own_model(run: Choice, catalogue: Catalogue) -> str:
    """Prefer to run the model whose run is looked at."""
    model = model_of(run.name)
    return model if model in catalogue.models else ""


def _pin(value: str | None, catalogue: Catalogue) -> str:
    """Return the head that an address pins, if there is such a head, or none."""
    head = head_named(value or "")
    run = next((run for run in catalogue.runs if head and run.name == head.run), None)
    if head is None or run is None:
        return NO_HEAD
    return str(head) if head.layer < run.layers and head.head < run.heads else NO_HEAD


def _span(value: str | None, catalogue: Catalogue) -> int:
    """Return a span of the catalogue that an address names, or every span."""
    return next((span for span in catalogue.spans if str(span) == value), EVERY_SPAN)
