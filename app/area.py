"""A part of a pattern, and how addresses name it."""

import re
from typing import NamedTuple, final

WHOLE = "whole"
_NAMED = re.compile(r"([0-9]{1,8})-([0-9]{1,8})\.([0-9]{1,8})-([0-9]{1,8})")


@final
class Area(NamedTuple):
    """Some queries and some keys, each from a first position up to one that is not in it."""

    query: int
    query_stop: int
    key: int
    key_stop: int

    def __str__(self) -> str:
        """Return the area as addresses name it: `128-256.0-128`."""
        return f"{self.query}-{self.query_stop}.{self.key}-{self.key_stop}"

    @property
    def is_pair(self) -> bool:
        """Whether it is one query and one key."""
        return self.query_stop - self.query == self.key_stop - self.key == 1

    def around(self, side: int, length: int) -> "Area":
        """Return an area around this one with sides of so many positions, within a length."""
        return Area(
            *_around(self.query, self.query_stop, side, length),
            *_around(self.key, self.key_stop, side, length),
        )


def area_named(name: str) -> str:
    """Return an area as addresses name it if a name is formed like one, or that it is whole."""
    found = _read(name)
    return WHOLE if found is None else str(found)


def area_of(name: str, length: int) -> Area:
    """Return the area of a name within a text of so many tokens; all of it where it has none."""
    found = _read(name)
    if found is None or found.query_stop > length or found.key_stop > length:
        return Area(0, length, 0, length)
    return found


def _read(name: str) -> Area | None:
    found = _NAMED.fullmatch(name)
    if found is None:
        return None
    area = Area(*map(int, found.groups()))
    return area if area.query < area.query_stop and area.key < area.key_stop else None


def _around(start: int, stop: int, side: int, length: int) -> tuple[int, int]:
    side = min(side, length)
    first = min(max((start + stop - side) // 2, 0), length - side)
    return first, first + side
