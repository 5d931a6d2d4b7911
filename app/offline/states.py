"""Everything that a part of a page can show: found by noting what it reads of a selection."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from ..page import Page
from ..state import Recording, Selection
from .choices import Choices

Result = TypeVar("Result")
Reads = tuple[tuple[str, str | int], ...]
"""Fields in the order in which they were read, and what they were."""


def states(
    compute: Callable[[Selection], Result], start: Selection, page: Page, choices: Choices
) -> Iterator[tuple[Reads, Result]]:
    """Yield what is computed for all choices, once for all that agree in what was read.

    From every result one goes on to the other values of the fields that were read: what a part
    does not read cannot change it, so no choice is missed.
    """
    found: set[Reads] = set()
    orders: dict[tuple[str, ...], None] = {}
    due = [choices.fit(start, page)]
    while due:
        chosen = due.pop()
        if any(_reads(chosen, names) in found for names in orders):
            continue
        recording = Recording(chosen)
        result = compute(recording)
        reads = tuple(recording.read.items())
        found.add(reads)
        orders[tuple(name for name, _ in reads)] = None
        yield reads, result
        for name, value in reads:
            due += [
                choices.fit(chosen.but(**{name: other}), page)
                for other in choices.of(name, chosen)
                if other != value
            ]


def _reads(chosen: Selection, names: tuple[str, ...]) -> Reads:
    return tuple((name, getattr(chosen, name)) for name in names)
