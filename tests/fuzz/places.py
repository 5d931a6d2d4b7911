"""Ways to spoil what is no single file: names of files, an archive, command lines, calls."""

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from changes import WRONG, Culprits, places, read, write

ARCHIVE = Path("runs/archive.zarr")
NAMES: dict[str, bytes] = {
    "that is not UTF-8": b"te\xffxt.txt",
    "with a line break": b"te\nxt.txt",
    "with quotes and blanks": "te'x\" t ü.txt".encode(),
    "of 255 bytes": b"t" * 255,
    "that begins with a dash": b"./-text.txt",
}


def groups(place: Path, depth: str) -> list[Path]:
    """Return the folders of an archive: the runs, their texts, or the variables of these."""
    return sorted(path for path in (place / ARCHIVE / "runs").glob(depth) if path.is_dir())


def pieces(place: Path) -> list[Path]:
    """Return the files of an archive that hold numbers."""
    found = (place / ARCHIVE / "runs").glob("*/*/*/c/**/*")
    return sorted(path for path in found if path.is_file())


def archive_names(file: Path) -> Culprits:
    """Return the words that point at a file of an archive: its run, or the archive as a whole."""
    parts = file.parts
    at = parts.index(ARCHIVE.name)
    run = parts[at + 2] if len(parts) > at + 3 else ""
    return (run, ARCHIVE.name if not run else "", parts[at - 1] if not run else "")


def metadata(depth: str, change: Callable[[dict[str, Any], Random], object]) -> Any:
    """Change what a group of the archive says of itself."""

    def changed(place: Path, draw: Random) -> Culprits:
        every = sorted((place / ARCHIVE).glob(f"{depth}zarr.json"))
        file = draw.choice([each for each in every if read(each)["attributes"]])
        held = read(file)
        change(held, draw)
        write(file, json.dumps(held))
        return archive_names(file)

    return changed


def anywhere(change: Callable[[Path, Random], object], *, numbers: bool) -> Any:
    """Change a file of the archive: one that holds numbers, or what a group says of itself."""

    def changed(place: Path, draw: Random) -> Culprits:
        every = pieces(place) if numbers else sorted((place / ARCHIVE).rglob("zarr.json"))
        file = draw.choice(every)
        change(file, draw)
        return archive_names(file)

    return changed


def wrong_value(held: dict[str, Any], draw: Random) -> None:
    """Put something wrong anywhere."""
    path = draw.choice(places(held))
    holder: Any = held
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = draw.choice(WRONG)


def wrong_attribute(held: dict[str, Any], draw: Random) -> None:
    """Put something wrong for one attribute."""
    held["attributes"][draw.choice(sorted(held["attributes"]))] = draw.choice(WRONG)


def no_attribute(held: dict[str, Any], draw: Random) -> None:
    """Take an attribute away."""
    del held["attributes"][draw.choice(sorted(held["attributes"]))]


def pipe(file: Path, _: Random) -> None:
    """Put a pipe in the place of a file."""
    file.unlink()
    os.mkfifo(file)


def gone(file: Path, _: Random) -> None:
    """Take a file away."""
    file.unlink()


def half(file: Path, draw: Random) -> None:
    """Let a file end too soon."""
    write(file, file.read_bytes()[: draw.randrange(max(file.stat().st_size, 1))])


def noise(file: Path, draw: Random) -> None:
    """Put other bytes in the place of a file."""
    write(file, draw.randbytes(draw.choice((1, 40, 4000))))


def called(name: bytes) -> Any:
    """Give the text another name."""

    def change(place: Path, draw: Random) -> Culprits:
        os.rename(bytes(place / "text.txt"), os.path.join(bytes(place), name))  # noqa: PTH104, PTH118
        readable = name.decode(errors="surrogateescape")
        return (
            readable,
            readable.encode("utf-8", "backslashreplace").decode(),
            repr(readable)[1:9],
        )

    return change


def within_notes(make: Callable[[Path], object]) -> Any:
    """Put something beside the files of a folder of texts."""

    def change(place: Path, draw: Random) -> Culprits:
        file = place / "notes" / "zz-odd"
        make(file)
        return (file.name, "notes")

    return change


def call_changed(place: Path, draw: Random) -> Culprits:
    """Put something wrong in a call that a browser makes."""
    file = place / "call.json"
    held = copy.deepcopy(read(file))
    wrong_value(held, draw)
    write(file, json.dumps(held))
    return ("",)


PATHS = (
    "/nowhere",
    "/heads/../../etc/passwd",
    "/_dash-component-suites/os/path.py",
    "/%00",
    "/%ff",
    "/_dash-component-suites/../x",
    "/assets/%2e%2e/server.py",
    "//evil.example/",
    "/heads?" + "a=1&" * 900,
    "/heads?layer=1e99&head=-1",
    "/?run=%ff%fe",
    "/tables/../../x.csv",
    "/_dash-layout/x",
    "/heads?layer=" + "9" * 5000,
    "/_reload-hash",
    "/_favicon.ico/x",
    "/" + "x" * 5000,
    "/csv/entropy",
)
BODIES = (
    b"{}",
    b"[]",
    b"null",
    b"1",
    b"",
    b"{",
    b"[" * 100_000,
    b'"' + b"x" * 900_000 + b'"',
    b"\xff\xfe",
    b'{"output": "page.children", "inputs": [[[[]]]]}',
    b'{"output": {"a": 1}}',
    b"x" * (2 << 20),
)
