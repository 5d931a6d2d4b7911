"""A literal table of the variants of one axis: listed without an import, loaded by name."""

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Generic, TypeVar, final

from dva_lens.mechanisms.variant import Variant
from dva_lens.plugins import load

V = TypeVar("V", bound=Variant)


@final
class VariantTable(MutableMapping[str, type[V]], Generic[V]):
    """The variants of one axis by name, each with one line of words.

    An entry of the literal names a class and says what it is; the class stands in the module of
    the axis that is called like the variant, with underscores for hyphens. Names and meanings
    are read without importing that module; looking a name up imports it, and torch with it.
    Assigning a class adds a variant from outside the package, whose docstring says what it is.
    As in every table, a name that is missing, and any question about all names, imports the
    plugins first.

    Raises
    ------
    KeyError
        A name is looked up that the table does not hold.
    TypeError
        A variant is entered that is not a subclass of `base`.
    ValueError
        A variant is entered under the name of another one.
    """

    def __init__(self, base: type[V], entries: Mapping[str, tuple[str, str]]) -> None:
        self.base = base
        self._entries: dict[str, tuple[str, str] | type[V]] = dict(entries)

    def __getitem__(self, name: str) -> type[V]:
        if name not in self:
            raise KeyError(name)
        entry = self._entries[name]
        if not isinstance(entry, tuple):
            return entry
        return getattr(import_module(self._module(name)), entry[0])

    def __setitem__(self, name: str, variant: type[V]) -> None:
        if not (isinstance(variant, type) and issubclass(variant, self.base)):
            raise TypeError(f"{name!r} must be a {self.base.__name__}, got {variant!r}.")
        if name in self._entries and self[name] is not variant:
            raise ValueError(
                f"the name {name!r} is taken by {self[name].__name__}; give {variant.__name__} "
                "another one"
            )
        self._entries[name] = variant

    def __delitem__(self, name: str) -> None:
        del self._entries[name]

    def __iter__(self) -> Iterator[str]:
        load()
        return iter(self._entries)

    def __contains__(self, name: object) -> bool:
        if name not in self._entries:
            load()
        return name in self._entries

    def __len__(self) -> int:
        load()
        return len(self._entries)

    def meanings(self) -> dict[str, str]:
        """Return what each variant is, in one line."""
        entries = {name: self._entries[name] for name in self}
        return {
            name: entry[1] if isinstance(entry, tuple) else first_line(entry)
            for name, entry in entries.items()
        }

    def name_of(self, variant: V) -> str:
        """Return the name of a variant.

        Raises
        ------
        ValueError
            The class of the variant is in no entry.
        """
        kind = type(variant)
        for name, entry in self._entries.items():
            place = (self._module(name), entry[0]) if isinstance(entry, tuple) else None
            if entry is kind or place == (kind.__module__, kind.__name__):
                return name
        raise ValueError(
            f"is a {kind.__name__}, which no file could name, because it is not in the table of "
            f"its axis: {', '.join(self)}."
        )

    def _module(self, name: str) -> str:
        return f"{self.base.__module__}.{name.replace('-', '_')}"


def first_line(thing: object) -> str:
    """Return the first line of a docstring, empty where there is none."""
    return (getattr(thing, "__doc__", None) or "").strip().split("\n")[0]
