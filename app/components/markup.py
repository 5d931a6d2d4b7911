"""Words as markup that a browser reads at once, instead of components that it keeps one by one.

A table of a hundred cells is a hundred components, each of which looks at every change of the
page; as markup it is one. `assets/markup.js` puts it in place and keeps focus and what is open.
"""

import html as text
import re
from collections.abc import Callable
from typing import Any

from dash.development.base_component import Component

from .attributes import attributes
from .elements import html

_NAMES = {"className": "class", "htmlFor": "for"}
_EMPTY = frozenset({"br", "hr", "img", "input", "wbr"})
_LIVING = frozenset({"id", "n_clicks", "n_clicks_timestamp", "key"})
"""What only a component can have, which callbacks know."""
_OF_COMPONENTS = frozenset(vars(html.Div()))
"""What a component knows of its kind, and what it holds, beside its attributes."""


def as_markup(filled: Any) -> Any:
    """Return words as one component that holds their markup, or as they are if that cannot be."""
    if not is_plain(filled):
        return filled
    return html.Div(className="filled", **attributes(data_markup=markup(filled)))


def place_of(
    name: str, filled: Any, *, class_name: str = "", element: Callable[..., Component] = html.Div
) -> Component:
    """Return the place of words: their markup, and components where markup cannot be."""
    plain = is_plain(filled)
    said = attributes(data_markup=markup(filled) if plain else "")
    return element(
        [
            element(id={"markup": name}, className="filled", **said),
            element(None if plain else filled, id={"words": name}, className="filled"),
        ],
        className=class_name,
    )


def is_plain(part: Any) -> bool:
    """Say whether words are components of HTML alone, none of which callbacks know."""
    if isinstance(part, list | tuple):
        return all(map(is_plain, part))
    if not isinstance(part, Component):
        return part is None or isinstance(part, str | int | float)
    given = vars(part)
    if part._namespace != "dash_html_components" or not _LIVING.isdisjoint(given):
        return False
    return is_plain(given.get("children"))


def markup(part: Any) -> str:
    """Return components of HTML, and text between them, as markup; all text is escaped."""
    written: list[str] = []
    _write(part, written)
    return "".join(written)


def _write(part: Any, written: list[str]) -> None:
    if isinstance(part, str):
        written.append(text.escape(part, quote=False))
    elif isinstance(part, list | tuple):
        for each in part:
            _write(each, written)
    elif isinstance(part, Component):
        name, held = part._type.lower(), vars(part)
        given = sorted(held.keys() - _OF_COMPONENTS)
        written.append(f"<{name}{''.join([_attribute(each, held[each]) for each in given])}>")
        if name not in _EMPTY:
            _write(getattr(part, "children", None), written)
            written.append(f"</{name}>")
    elif part is not None:
        written.append(text.escape(str(part), quote=False))


def _attribute(name: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    called = _NAMES.get(name, name.lower())
    if value is True:
        return f" {called}"
    if isinstance(value, dict):
        value = ";".join(f"{_property(each)}:{held}" for each, held in value.items())
    return f' {called}="{text.escape(str(value))}"'


def _property(name: str) -> str:
    """Return a property of a style by its name in style sheets."""
    return name if name.startswith("--") else re.sub("[A-Z]", lambda at: f"-{at[0].lower()}", name)
