"""Elements of HTML as Dash has them, made in a fraction of the time that its constructors take.

Dash looks through its list of properties for every element. An explorer that fills tables with
hundreds of cells at every choice copies what a constructor left once, and asks it again only for
what it has to judge: ids, and names that an element may not have.
"""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dash.html
from dash.development.base_component import Component

_WILD = ("aria-", "data-")


class _Kind(type):
    """A kind of element: called, it makes one of Dash's, and those are its instances."""

    made: Any
    empty: dict[str, Any]
    names: frozenset[str]

    def __call__(cls, children: Any = None, **given: Any) -> Component:
        known = cls.names
        if given.keys() <= known or all(one in known or one.startswith(_WILD) for one in given):
            made = object.__new__(cls.made)
            vars(made).update(cls.empty, children=children, **given)
            return made
        return cls.made(children, **given)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.made)


def _copied(name: str) -> _Kind:
    made = getattr(dash.html, name)
    empty = vars(made())
    names = frozenset(empty["_prop_names"]) - {"id"}
    return _Kind(name, (), {"made": made, "empty": empty, "names": names})


if TYPE_CHECKING:
    from dash import html
else:
    html = SimpleNamespace(**{name: _copied(name) for name in dash.html.__all__})

__all__ = ["html"]
