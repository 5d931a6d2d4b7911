"""What a text is here: named documents that can be read again and again, under one hash.

A document is the unit of everything that follows: the held-out part is split off by document, and
intervals are taken over documents.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

SEPARATOR = "<|endoftext|>"
LARGEST_DOCUMENT = 2_000_000
LARGEST_SECTION = 20_000
SMALLEST_SECTION = 2_000
SECTIONS = 40


@final
@dataclass(frozen=True)
class Document:
    """A text that belongs together: a file, a story, the documentation of a module."""

    name: str
    text: str


@final
@dataclass(frozen=True)
class Corpus:
    """Named documents in a fixed order.

    `documents` can be iterated any number of times and may read from disk each time, so a large
    text never has to fit in memory. `sha256` covers the names and the texts of all of them.
    """

    name: str
    documents: Iterable[Document]
    sha256: str


@final
@dataclass(frozen=True)
class Sections:
    """The documents of a source, each cut into sections of about `size` characters."""

    source: Iterable[Document]
    size: int

    def __iter__(self) -> Iterator[Document]:
        for document in self.source:
            for number, text in enumerate(sections(document.text, self.size), start=1):
                yield Document(f"{document.name}#{number}", text)


def corpus_of(name: str, documents: Iterable[Document], *, whole: bool = False) -> Corpus:
    """Make a corpus of documents: read them once, refuse an empty text, take the hash.

    A corpus of a single document is cut into sections that then count as documents, because
    otherwise nothing could be held out. Sections of one text resemble each other more than
    documents do, so intervals over them speak of that text alone. With `whole` it stays one.

    Raises
    ------
    ValueError
        The documents hold no text at all.
    """
    count, characters, digest = 0, 0, hashlib.sha256()
    for document in documents:
        count, characters = count + 1, characters + len(document.text)
        for part in (document.name, document.text):
            encoded = part.encode()
            digest.update(len(encoded).to_bytes(8, "little") + encoded)
    if characters == 0:
        raise ValueError(f"{name} holds no text; give a file or folder with some.")
    if count == 1 and whole:
        digest.update(b"whole")
    elif count == 1:
        size = min(LARGEST_SECTION, max(SMALLEST_SECTION, characters // SECTIONS))
        documents = Sections(documents, size)
    return Corpus(name, documents, digest.hexdigest())


def documents_of(lines: Iterable[str], name: str) -> Iterator[Document]:
    """Yield the documents of a text; a line that holds only the separator ends one.

    A document beyond `LARGEST_DOCUMENT` characters is cut into sections while it is read, so that
    memory stays bounded whatever comes.
    """
    texts = (text.strip() for text in _texts(lines))
    for number, text in enumerate((text for text in texts if text), start=1):
        yield Document(name if number == 1 else f"{name}#{number}", text)


def sections(text: str, size: int) -> Iterator[str]:
    """Cut a text into pieces of at least `size` characters that end where a reader would pause."""
    start = 0
    while start < len(text):
        end = start + size
        for pause in ("\n\n", "\n", ". ", " "):
            found = text.find(pause, end, end + size)
            if found >= 0:
                end = found + len(pause)
                break
        yield text[start:end]
        start = end


def _texts(lines: Iterable[str]) -> Iterator[str]:
    held: list[str] = []
    size, huge = 0, False
    for line in lines:
        if line.strip() == SEPARATOR:
            yield from _released(held, huge)
            held, size, huge = [], 0, False
            continue
        held.append(line)
        size += len(line)
        if size >= LARGEST_DOCUMENT:
            yield from _released(held, cut=True)
            held, size, huge = [], 0, True
    yield from _released(held, huge)


def _released(held: list[str], cut: bool) -> Iterator[str]:
    text = "".join(held)
    if cut:
        yield from sections(text, LARGEST_SECTION)
    else:
        yield text
