"""The form of a change: the fields of an intervention, as its own table says, and a button.

The layer and head are the chosen ones, and the key of a sink is the token that is locked. The form
itself says which change its fields are of, so that what is made is what was seen; the button is no
part of it, so that it is not replaced under the pointer when another change is chosen.
"""

import types
from typing import Annotated, Any, Union, get_args, get_origin

import dash_mantine_components as dmc
from dash import dcc
from pydantic_core import PydanticUndefined

from dva_lens.diagnostics.interventions.values import INTERVENTIONS, NAME, OneOf, intervention_of

from ...components.elements import html
from ...library import Library, NothingToShowError
from ...state import NO_TOKEN, Selection
from . import names

WORDS = {
    "key": "key (position of the sink)",
    "share": "share of it (0 to 1)",
    "part": "part",
    "temperature": "temperature (above 1 spreads attention)",
}
BY = {
    "remove-sink": "removed by",
    "swap-first-values": "taken from another",
}
"""What the field `by` says depends on the change."""
_EXAMPLES: dict[str, Any] = {"temperature": 2.0}
"""What a field that must be given begins with."""


def change_form(library: Library, chosen: Selection) -> Any:
    """Return the fields of the chosen change.

    Raises
    ------
    NothingToShowError
        There is no model to change.
    """
    if library.catalogue.why_no_live:
        raise NothingToShowError("There is no model to change.")
    kind = INTERVENTIONS[chosen.change]
    about = (kind.__doc__ or "").split("\n\n")[0]
    return html.Div(
        [
            html.P(
                f"{about} The loss of the text above is compared with what it is as the model "
                f"stands, and beside it stands a control: {kind.control}.",
                className="caption",
            ),
            html.Div(
                [
                    dcc.Input(id={names.FIELD: NAME}, type="hidden", value=chosen.change),
                    *(
                        _field(name, value, chosen.change)
                        for name, value in fields(chosen).items()
                    ),
                ],
                className="live-fields",
            ),
        ]
    )


def change_button(library: Library, chosen: Selection) -> Any:  # noqa: ARG001  as all words
    """Return the button that makes the change, where there is a model to change."""
    if library.catalogue.why_no_live:
        return []
    return html.Button("Make the change", id=names.CHANGE, type="button", className="action")


def fields(chosen: Selection) -> dict[str, Any]:
    """Return what each field of the chosen change begins with."""
    at: dict[str, Any] = {"layer": chosen.layer, "head": chosen.head}
    found = {}
    for name, field in INTERVENTIONS[chosen.change].model_fields.items():
        default = None if field.default is PydanticUndefined else field.default
        found[name] = at.get(name, _EXAMPLES.get(name, default))
    if "key" in found and chosen.token != NO_TOKEN:
        found["key"] = chosen.token
    return found


def values_of(change: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a change as the command line takes them.

    Raises
    ------
    ValueError
        There is no such change, or a field is missing, of another type or out of range; the
        message names it.
    """
    if not isinstance(change, str) or change not in INTERVENTIONS:
        raise ValueError(f"There is no change {str(change)[:60]!r}; choose one from the menu.")
    known = INTERVENTIONS[change].model_fields
    read = {name: _read(given.get(name), known[name].annotation) for name in known}
    held = {name: value for name, value in read.items() if value is not None}
    found = intervention_of({NAME: change, **held}).to_dict()
    return {name: value for name, value in found.items() if name != NAME}


def _read(given: Any, kind: Any) -> Any:
    """Return what was typed as the type of a field, or as it is where it is none of that type."""
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(one for one in get_args(kind) if one is not type(None))
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    text = "" if given is None else str(given).strip()[:60]
    if not text:
        return None
    try:
        return kind(text) if kind in (int, float) else text
    except ValueError:
        return text


def _field(name: str, value: Any, change: str) -> Any:
    """Return a field to type into, or a menu where the intervention names the words."""
    words = BY.get(change, "") if name == "by" else ""
    words = words or WORDS.get(name, name.replace("_", " "))
    held = INTERVENTIONS[change].model_fields[name].metadata
    offered = [each for each in held if isinstance(each, OneOf)]
    if offered:
        return dmc.Select(
            id={names.FIELD: name},
            label=words,
            data=list(offered[0].words),
            value=str(value),
            allowDeselect=False,
            withScrollArea=False,
            attributes={"options": {"tabIndex": 0}},
            className="control live-choice",
            comboboxProps={"shadow": "md", "withinPortal": False},
        )
    return html.Label(
        [
            html.Span(words),
            dcc.Input(
                id={names.FIELD: name},
                type="text",
                value="" if value is None else str(value),
                debounce=False,
                className="live-field",
            ),
        ]
    )
