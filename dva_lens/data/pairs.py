"""Two texts of which each document of one belongs to a document of the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

from dva_lens.data.corpus import open_corpus
from dva_lens.data.documents import Corpus, Document, corpus_of
from dva_lens.data.text import lines_of


@final
@dataclass(frozen=True)
class LineDocuments:
    """The lines of a file as documents, read anew by every iteration."""

    file: Path

    def __iter__(self) -> Iterator[Document]:
        for number, line in enumerate(lines_of(self.file), start=1):
            yield Document(f"line {number}", line.strip())


def open_pairs(source: str, target: str) -> tuple[Corpus, Corpus]:
    """Return sources and their targets, in one order.

    Two files belong together line by line, as files of translations do; folders and data sets
    document by document, in their order.

    Raises
    ------
    FileNotFoundError
        There is nothing at a path.
    ValueError
        The two do not hold equally many documents, or one of a pair is empty.
    """
    files = Path(source), Path(target)
    if all(file.is_file() for file in files):
        found = tuple(_by_line(file) for file in files)
    else:
        found = tuple(open_corpus(name) for name in (source, target))
    counts = [sum(1 for _ in one.documents) for one in found]
    if counts[0] != counts[1]:
        unit = "lines" if all(file.is_file() for file in files) else "documents"
        raise ValueError(
            f"{source} has {counts[0]} {unit} and {target} has {counts[1]}; every source needs "
            f"one target, in the same order."
        )
    pairs = zip(found[0].documents, found[1].documents, strict=True)
    for number, (one, other) in enumerate(pairs, start=1):
        if not one.text or not other.text:
            raise ValueError(
                f"Pair {number} of {source} and {target} has an empty side; fill it, or take the "
                f"pair out of both."
            )
    return found[0], found[1]


def _by_line(file: Path) -> Corpus:
    """Return a corpus of lines; a lone line stays one document."""
    lines = LineDocuments(file)
    whole = corpus_of(str(file), lines)
    return Corpus(whole.name, lines, whole.sha256)
