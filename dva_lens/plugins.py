"""What is added to the package from outside, and the tables that find it.

A plugin is a module whose import puts entries into the tables: mechanisms, presets, statistics,
views, pages, sections. An installed package offers its plugins as entry points of the group
`dva_lens.plugins`; any other module is named by `dva-lens --import MODULE`, which child processes
inherit through the environment variable `DVA_LENS_IMPORT`. Plugins are imported once, when a table
is first asked for a name that it does not hold, or for all of its names.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Generic, TypeVar, final

GROUP = "dva_lens.plugins"
VARIABLE = "DVA_LENS_IMPORT"

Entry = TypeVar("Entry")


@final
class PluginError(ImportError):
    """A plugin could not be imported; the message is one sentence that names it."""


@final
@dataclass(frozen=True)
class Plugin:
    """One module to import: its name or path, who named it, and how it is imported."""

    name: str
    named_by: str
    load: Callable[[], object]


@final
class Registry(MutableMapping[str, Entry], Generic[Entry]):
    """A literal table of the package that plugins may add to.

    It keeps the mapping that it is given and hides nothing of it. A name that is missing, and any
    question about all names, imports the plugins first.

    Raises
    ------
    KeyError
        A name is looked up that the table does not hold.
    ValueError
        A plugin enters something under a name that is taken.
    """

    def __init__(self, entries: MutableMapping[str, Entry]) -> None:
        self._entries = entries

    def __getitem__(self, name: str) -> Entry:
        if name not in self:
            raise KeyError(name)
        return self._entries[name]

    def __setitem__(self, name: str, entry: Entry) -> None:
        if _state.loading and name in self._entries:
            raise ValueError(
                f"the name {name!r} is taken; a plugin adds to a table and replaces nothing in it"
            )
        self._entries[name] = entry

    def __delitem__(self, name: str) -> None:
        del self._entries[name]

    def __contains__(self, name: object) -> bool:
        if name not in self._entries:
            load()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        load()
        return iter(self._entries)

    def __len__(self) -> int:
        load()
        return len(self._entries)

    def __repr__(self) -> str:
        return f"Registry({', '.join(self._entries)})"


@final
class _State:
    """What has been loaded in this process."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.loading = False
        self.loaded_for: str | None = None
        self.done: set[str] = set()
        self.failure: str | None = None


_state = _State()


def request(name: str) -> None:
    """Ask for a module, by name or as the path of a file, in this process and its children.

    It is imported with the other plugins; whether it exists is checked at once.

    Raises
    ------
    PluginError
        There is no such module or file.
    """
    if _is_path(name):
        path = Path(name).resolve()
        if not path.is_file():
            raise PluginError(
                f"There is no file {name} to import; --import takes FILE.py or MODULE."
            )
        name = str(path)
    elif not _is_findable(name):
        raise PluginError(
            f"There is no module {name!r} to import; install it, or give the path of its file: "
            f"--import path/to/{name.rpartition('.')[2]}.py."
        )
    if os.pathsep in name:
        raise PluginError(f"The path of a plugin may not contain {os.pathsep!r}, got {name}.")
    if name not in _requested():
        os.environ[VARIABLE] = os.pathsep.join([*_requested(), name])


def load() -> None:
    """Import every plugin that has not been imported in this process.

    Raises
    ------
    PluginError
        A plugin failed to import; the message names it and says why. It is raised again whenever
        plugins are asked for, since a table without them would be incomplete without saying so.
    """
    wanted = os.environ.get(VARIABLE, "")
    if _state.loaded_for == wanted and _state.failure is None:
        return
    with _state.lock:
        if _state.loading:  # a plugin that reads a table while it is imported
            return
        if _state.loaded_for == wanted and _state.failure is not None:
            raise PluginError(_state.failure)
        _state.loading = True
        try:
            _load_all(known())
        finally:
            _state.loading = False
            _state.loaded_for = wanted


def known() -> tuple[Plugin, ...]:
    """Return the plugins of installed packages and those asked for, without importing any."""
    from importlib.metadata import entry_points  # takes a tenth of a second

    installed = [
        Plugin(
            entry.value,
            f"the entry point {entry.name!r} of {entry.dist.name if entry.dist else GROUP}",
            entry.load,
        )
        for entry in sorted(entry_points(group=GROUP), key=lambda each: each.name)
    ]
    asked = [Plugin(name, f"--import or {VARIABLE}", _loader(name)) for name in _requested()]
    return (*installed, *asked)


def _load_all(plugins: Iterable[Plugin]) -> None:
    _state.failure = None
    for plugin in plugins:
        if plugin.name in _state.done:
            continue
        try:
            plugin.load()
        except (Exception, SystemExit) as error:
            reason = " ".join(str(error).split()).rstrip(".") or "no detail"
            _state.failure = (
                f"The plugin {plugin.name}, named by {plugin.named_by}, could not be imported: "
                f"{type(error).__name__}: {reason}."
            )
            raise PluginError(_state.failure) from error
        _state.done.add(plugin.name)


def _requested() -> list[str]:
    return [name for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]


def _is_path(name: str) -> bool:
    return name.endswith(".py") or os.sep in name


def _is_findable(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _loader(name: str) -> Callable[[], object]:
    if not _is_path(name):
        return lambda: import_module(name)
    return lambda: _import_file(Path(name))


def _import_file(path: Path) -> ModuleType:
    held = sys.modules.get(path.stem)
    if held is not None:
        if Path(getattr(held, "__file__", None) or "").resolve() == path:
            return held
        raise ImportError(
            f"a module of the name {path.stem!r} is imported already; rename the file"
        )
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError("it is not a Python file")
    module = module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module
