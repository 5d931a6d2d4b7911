"""Small files that people write, read so that nothing in them surprises or costs much.

YAML is read as YAML 1.2 means it: only `true` and `false` are truth values, so that `no`, `yes`
and `on` are words, `3e-4` is a number and a date is text. A key that stands twice is an error, and
so is a file that unfolds into more than `LARGEST_DOCUMENT` values.
"""

import json
import os
import re
import stat
from pathlib import Path
from typing import Any, final

import yaml

CACHE = "DVA_LENS_CACHE"
LARGEST_FILE = 1 << 20
LARGEST_DOCUMENT = 10_000


@final
class PlainYaml(yaml.SafeLoader):
    """Plain YAML with the truth values, numbers and null of its version 1.2, and no more."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the library's own kind of table


for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?[0-9]+[eE][-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?\.inf|\.nan", "-+."),
):
    PlainYaml.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), list(_first)
    )


def cache_folder() -> Path:
    """Return the folder for what can be made anew: $DVA_LENS_CACHE, or one of the user's."""
    given = os.environ.get(CACHE)
    if given:
        return Path(given).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "dva-lens"


def read_text(path: Path | str, *, limit: int = LARGEST_FILE) -> str:
    """Return what a text file of at most `limit` bytes holds.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is no regular file (a folder, a device, a pipe), too large, or not UTF-8.
    """
    place = Path(path)
    try:
        about = place.stat()
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {place}; check the path.") from None
    if not stat.S_ISREG(about.st_mode):
        raise ValueError(f"{place} must be a regular file, not a folder, a device or a pipe.")
    with place.open("rb") as stream:
        held = stream.read(limit + 1)
    if len(held) > limit:
        raise ValueError(f"{place} must hold at most {limit} bytes, got more; shorten it.")
    try:
        return held.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{place} is not UTF-8 text ({error.reason}); convert it first."
        ) from None


def read_yaml(path: Path | str) -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It cannot be read as text, is not YAML, holds a key twice, unfolds into too much, or holds
        something else than a mapping.
    """
    text = read_text(path)
    try:
        found = _constructed(text)
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply; write it flatter.") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path} must map keys to values, got {type(found).__name__}.")  # noqa: TRY004
    return found


def read_json(path: Path | str, *, limit: int = LARGEST_FILE) -> dict[str, Any]:
    """Return the object that a JSON file of at most `limit` bytes holds.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It cannot be read as text, is not JSON, holds a key twice, or holds no object.
    """
    text = read_text(path, limit=limit)
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply; write it flatter.") from None
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}.") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path} must hold a JSON object, got {type(found).__name__}.")  # noqa: TRY004
    return found


def _constructed(text: str) -> object:
    loader = PlainYaml(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _count(node: yaml.Node, counted: dict[int, int]) -> int:
    """Return into how many values a node unfolds, and refuse too many, cycles and double keys."""
    known = counted.get(id(node))
    if known is not None:
        if not known:
            raise ValueError(f"it holds itself{_line(node)}")
        return known
    counted[id(node)] = 0
    total = 1 + sum(_count(each, counted) for each in _parts(node))
    if total > LARGEST_DOCUMENT:
        raise ValueError(f"it unfolds into more than {LARGEST_DOCUMENT} values{_line(node)}")
    counted[id(node)] = total
    return total


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return node.value
    if not isinstance(node, yaml.MappingNode):
        return []
    seen: set[tuple[str, object]] = set()
    for key, _ in node.value:
        name = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else (key.tag, id(key))
        if name in seen:
            raise ValueError(f"the key {key.value!r} stands twice{_line(key)}")
        seen.add(name)
    return [part for pair in node.value for part in pair]


def _line(node: yaml.Node) -> str:
    return f" (line {node.start_mark.line + 1})" if node.start_mark else ""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name!r} stands twice")
        found[name] = value
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
