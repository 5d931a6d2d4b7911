"""Text from files, folders and standard input: plain, .gz or .xz, streamed, UTF-8."""

import gzip
import io
import lzma
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from dva_lens.data.documents import Corpus, Document, corpus_of, documents_of

LONGEST_LINE = 1 << 20
CLOSED = "standard input is closed; give it a text (dva-lens ... < FILE), or name a file instead."
OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}


@final
@dataclass(frozen=True)
class TextFiles:
    """The documents of some files, read anew by every iteration; names are relative to `root`."""

    root: Path
    files: tuple[Path, ...]

    def __iter__(self) -> Iterator[Document]:
        for file in self.files:
            name = readable(file.relative_to(self.root).as_posix())
            yield from documents_of(lines_of(file), name)


def text_corpus(path: str | Path, *, whole: bool = False) -> Corpus:
    """Return the text of a file or of all files below a folder (hidden ones aside).

    A line `<|endoftext|>` separates documents; without any, a file is one document. A corpus of a
    single document, and any document too large to hold in memory, is cut into sections that count
    as documents, unless it is to stay `whole`. The text must be UTF-8 and hold no NUL bytes.

    Raises
    ------
    FileNotFoundError
        There is no file or folder at `path`.
    ValueError
        It is neither, or the folder holds no file.
    """
    place, name = Path(path), readable(str(path))
    if place.is_file():
        return corpus_of(name, TextFiles(place.parent, (place,)), whole=whole)
    if not place.is_dir() and place.exists():
        raise ValueError(
            f"{name!r} is a device, a pipe or a socket; give a file or folder of text, or - for "
            f"standard input."
        )
    if not place.is_dir():
        raise FileNotFoundError(
            f"There is no text at {name!r}; give a file or folder that exists."
        )
    files = tuple(
        file
        for file in sorted(place.rglob("*"))
        if file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(place).parts)
    )
    if not files:
        raise ValueError(f"{name!r} is a folder without files; give one that holds text.")
    return corpus_of(name, TextFiles(place, files), whole=whole)


def stdin_corpus(stream: io.BufferedIOBase | None = None) -> Corpus:
    """Return the text of standard input; it is held in memory because it cannot be read twice.

    Raises
    ------
    ValueError
        It is closed, or what it holds is no text.
    """
    if stream is None and sys.stdin is None:
        raise ValueError(CLOSED)
    try:
        lines = _lines(sys.stdin.buffer if stream is None else stream, "standard input")
        documents = tuple(documents_of(lines, "stdin"))
    except OSError as error:
        raise ValueError(CLOSED) from error
    return corpus_of("standard input", documents)


def readable(name: str) -> str:
    """Return the name of a file as text that can be written, whatever bytes it is made of."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def lines_of(file: Path) -> Iterator[str]:
    """Yield the lines of a plain, .gz or .xz text file, or say why it cannot be read as text."""
    opener = OPENERS.get(file.suffix.lower(), open)
    with opener(file, "rb") as stream:
        yield from _lines(stream, repr(readable(str(file))))


def _lines(stream: Any, name: str) -> Iterator[str]:
    text = io.TextIOWrapper(stream, encoding="utf-8-sig")
    try:
        while line := text.readline(LONGEST_LINE):
            if "\0" in line:
                raise ValueError(f"{name} is binary (it holds NUL bytes); give plain UTF-8 text.")
            yield line
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name} is not UTF-8 text ({error.reason}); convert it first."
        ) from error
    except (gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError) as error:
        raise ValueError(f"{name} is damaged or not what its ending says ({error}).") from error
    finally:
        text.detach()
