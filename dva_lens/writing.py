"""Writing a file whole or not at all: the one way in which this package replaces files."""

import os
import platform
import stat
from collections.abc import Callable
from glob import escape
from pathlib import Path


def write_whole(path: Path | str, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a draft beside a file, which takes the file's place once it is whole.

    A symbolic link stays, and what it points to is replaced. A draft that a killed process left
    is removed by the next one that writes the file.

    Raises
    ------
    ValueError
        If there is something at the place that is no regular file: a folder, a device, a pipe.
    OSError
        If the file cannot be written; no draft is left behind.
    """
    place = Path(os.path.realpath(path))
    check_replaceable(path)
    draft = _draft(place, _owner(os.getpid()))
    _drop_drafts_of_the_dead(place)
    try:
        write(draft)
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)
    return Path(path)


def write_text(path: Path | str, text: str) -> Path:
    """Write a text file in UTF-8, whole or not at all.

    Raises
    ------
    ValueError
        If there is something at the place that is no regular file.
    OSError
        If the file cannot be written; no draft is left behind.
    """
    return write_whole(path, lambda draft: draft.write_text(text, encoding="utf-8"))


def check_replaceable(path: Path | str) -> None:
    """Refuse to write where there is something that is no regular file.

    Raises
    ------
    ValueError
        If there is: a folder, a device, a pipe or a socket.
    """
    try:
        found = Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if not stat.S_ISREG(found):
        raise ValueError(
            f"{path} is {_kind(found)}, and only regular files are replaced; name a file to write."
        )


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a device or a pipe, not a file"


def _draft(place: Path, owner: str) -> Path:
    return place.with_name(f".{place.stem}.{owner}.partial{place.suffix}")


def _owner(process: int | str) -> str:
    return f"{platform.node()}-{process}"


def _drop_drafts_of_the_dead(place: Path) -> None:
    before, after = _draft(place, "*").name.rsplit("*", 1)
    for left in place.parent.glob(f"{escape(before)}{escape(_owner(''))}*{escape(after)}"):
        process = left.name.removeprefix(before + _owner("")).removesuffix(after)
        if process.isdigit() and not _runs(int(process)):
            left.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
