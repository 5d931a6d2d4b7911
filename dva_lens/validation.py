"""Values that people write in files: one base that checks them and says what is wrong with them.

A value is strict (2.5 is no count, `true` is no number), refuses keys it does not know, and cannot
be changed. Its errors name the key by its path, the rule, what came instead and, where one is
near, the word that was probably meant.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from reprlib import Repr
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WrapValidator,
    model_validator,
)

Item = TypeVar("Item")
AnyValue = TypeVar("AnyValue", bound="Value")
SHOWN_ERRORS = 3
_CLOSE = 0.6
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 60


def as_tuple(given: object) -> object:
    """Return a list as a tuple, and anything else as it is."""
    return tuple(given) if isinstance(given, list) else given


def as_list(given: object) -> object:
    """Return a tuple as a list, and anything else as it is."""
    return list(given) if isinstance(given, tuple) else given


def _as_given(given: object, check: Callable[[Any], Any]) -> object:
    check(given)
    return given


Many = Annotated[tuple[Item, ...], BeforeValidator(as_tuple)]
"""Several of something: a tuple, made of a list where a file gives one."""
Count = Annotated[int, Field(ge=1)]
Number = Annotated[float, WrapValidator(_as_given)]
"""A finite number that stays what it was given as, 1 or 1.0, because keys are made of it."""
Positive = Annotated[Number, Field(gt=0)]


class Value(BaseModel, frozen=True):
    """A value of named fields that is checked when it is made and never changes afterwards.

    A subclass says in `called` what people call it and in `former` what its keys were called, and
    writes each rule that concerns several fields as a validator that raises ValueError. It repeats
    `frozen=True`, which type checkers do not inherit.

    Raises
    ------
    ValueError
        A field is missing, unknown, of another type or out of range; the message names it.
    """

    model_config = ConfigDict(
        strict=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True
    )
    called: ClassVar[str] = "value"
    former: ClassVar[Mapping[str, str]] = {}
    """Names that keys have had, each with the one it has now; files that hold them are read."""

    @model_validator(mode="before")
    @classmethod
    def _under_names_of_today(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or cls.former.keys().isdisjoint(given):
            return given
        for before, now in cls.former.items():
            if before in given and now in given:
                raise ValueError(f"{before} is the former name of {now}; keep {now} alone.")
        return {cls.former.get(name, name): value for name, value in given.items()}

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise ValueError(explained(error, type(self))) from None

    # Tells pydantic that this makes a value as its own method does. It then checks a value within
    # a value as a part of it, and an error keeps its whole path.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def from_dict(cls: type[AnyValue], given: object) -> AnyValue:
        """Return the value that a mapping of plain values describes.

        Raises
        ------
        ValueError
            `given` is not a mapping, or describes no such value; the message names the key.
        """
        try:
            return cls.model_validate(dict(given) if isinstance(given, Mapping) else given)
        except ValidationError as error:
            raise ValueError(explained(error, cls)) from None

    def to_dict(self) -> dict[str, Any]:
        """Return the value as plain values that `from_dict` takes back."""
        return {name: _plain(getattr(self, name)) for name in type(self).model_fields}

    def changed(self: AnyValue, **changes: Any) -> AnyValue:
        """Return the value with some fields changed, checked anew.

        Raises
        ------
        ValueError
            A name is no field of the value, or what it is changed to is refused.
        """
        return type(self)(**{**dict(self), **changes})


def one_of(known: Callable[[], Collection[str]], listed: str = "") -> BeforeValidator:
    """Return a check that a field holds one of the words there are at that time.

    `listed` says where a person finds the list; without it the error holds the list itself.
    """

    def check(given: object) -> object:
        words = known()
        if isinstance(given, str) and given in words:
            return given
        if listed:
            raise ValueError(f"is unknown: {shown(given)}{meant(given, words)}; {listed}.")
        raise ValueError(f"must be one of {', '.join(words)}, {_got(given, words)}.")

    return BeforeValidator(check)


def say_former(kind: type[Value], given: Mapping[str, Any], where: str) -> None:
    """Say in one line on standard error which keys of a file have another name now."""
    moved = [f"{before} is now {now}" for before, now in kind.former.items() if before in given]
    if moved:
        logging.getLogger("dva_lens").warning("%s is read as it is: %s.", where, ", ".join(moved))


def shown(given: object) -> str:
    """Return a value as a file says it, cut to what fits in a sentence."""
    if given is None or isinstance(given, bool):
        return {None: "nothing", True: "true", False: "false"}[given]
    return _SHORT.repr(given)


def meant(given: object, known: Iterable[str]) -> str:
    """Return the one word that was probably meant, as a question in brackets, or nothing."""
    word = given[:100] if isinstance(given, str) else ""
    close = get_close_matches(word, list(known), n=1, cutoff=_CLOSE)
    return f" (did you mean {close[0]!r}?)" if close else ""


def explained(error: ValidationError, kind: type[Value]) -> str:
    """Return what is wrong with a value, one sentence per error, and how many more there are."""
    found = error.errors(include_url=False)
    said = [_sentence(dict(each), kind) for each in found[:SHOWN_ERRORS]]
    more = len(found) - len(said)
    return " ".join(said) + (f" There are {more} more errors." if more else "")


def path_of(location: Iterable[str | int]) -> str:
    """Return where an error is as a person points at it: `recipe.steps`, `seeds[1]`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")


def _plain(value: object) -> Any:
    if isinstance(value, Value):
        return value.to_dict()
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _sentence(error: dict[str, Any], kind: type[Value]) -> str:
    location, what = error["loc"], error["type"]
    if what in ("missing", "extra_forbidden"):
        return _about_key(error, kind)
    path, given = path_of(location) or f"A {kind.called}", error["input"]
    if what == "value_error":
        said = str(error["ctx"]["error"])
        joined = " " if said.startswith(("must ", "is ")) else ": "
        return f"{path}{joined}{said}" if location else said
    if what == "literal_error":
        words = error["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return f"{path} must be one of {', '.join(words)}, {_got(given, words)}."
    return f"{path} must be {_rule(error)}, {_got(given)}."


def _about_key(error: dict[str, Any], kind: type[Value]) -> str:
    *place, key = error["loc"]
    if isinstance(key, int):
        return f"{path_of(place)} must be a list of more than {key}, {_got(error['input'])}."
    holder = _held(kind, place)
    fields = holder.model_fields if holder else {}
    if error["type"] == "missing":
        needed = ", ".join(name for name, field in fields.items() if field.is_required())
        return f"{path_of(place) or f'A {kind.called}'} lacks {key}; it needs {needed}."
    known = f"; the keys are {', '.join(fields)}" if fields else ""
    where = path_of(place) or f"a {kind.called}"
    return f"Unknown key {key!r} in {where}{meant(key, fields)}{known}."


def _held(kind: type[Value], place: Iterable[str | int]) -> type[Value] | None:
    """Return the kind of value at a place within a kind, where the annotation says it."""
    found: type[Value] | None = kind
    for name in place:
        if isinstance(name, int):  # an entry of a list, whose kind is known already
            continue
        if found is None or name not in found.model_fields:
            return None
        found = _value_in(found.model_fields[name].annotation)
    return found


def _value_in(annotation: object) -> type[Value] | None:
    """Return the kind of value that an annotation names, alone, as an option or in a list."""
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation if issubclass(annotation, Value) else None
    return next(filter(None, map(_value_in, get_args(annotation))), None)


_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "string_too_short": "text that is not empty",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "mapping_type": "a mapping of keys to values",
    "invalid_key": "a word",
}
_LIMITS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


def _rule(error: dict[str, Any]) -> str:
    """Return what a field must be, in words that follow `must be`."""
    what, context = error["type"], error.get("ctx", {})
    if what in _LIMITS:
        words, name = _LIMITS[what]
        return f"{words} {context[name]:.10g}"
    if what in ("too_short", "too_long"):
        words = "at least" if what == "too_short" else "at most"
        number = context.get("min_length", context.get("max_length"))
        return f"a list of {words} {number}"
    return _TYPES.get(what, f"something else ({error['msg'].lower()})")


def _got(given: object, known: Iterable[str] = ()) -> str:
    return f"got {shown(given)}{meant(given, known)}"
