"""Which documents are trained on, and which are held out to be measured."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

from dva_lens.data.documents import Corpus, Document

HELD_OUT = 0.1


@final
@dataclass(frozen=True)
class Split:
    """A corpus in two parts that share no document."""

    train: Corpus
    held_out: Corpus


@final
@dataclass(frozen=True)
class Chosen:
    """The documents of a source at the chosen places, in the order of the source."""

    source: Iterable[Document]
    places: frozenset[int]

    def __iter__(self) -> Iterator[Document]:
        for place, document in enumerate(self.source):
            if place in self.places:
                yield document


def split(corpus: Corpus, *, held_out: float = HELD_OUT) -> Split:
    """Hold out a share of the documents, chosen by the hash of their text.

    A document stays on its side when others are added, renamed or reordered, and copies of one
    text end on the same side. Both sides get at least one document.

    Raises
    ------
    ValueError
        `held_out` does not lie strictly between 0 and 1, or all documents hold the same text.
    """
    if not 0 < held_out < 1:
        raise ValueError(f"held_out must lie between 0 and 1, got {held_out}.")
    draws = [_draw(document) for document in corpus.documents]
    if min(draws) == max(draws):
        raise ValueError(
            f"Holding text out needs at least two different documents; {corpus.name} has "
            f"{len(draws)} of the same text. Give a longer text, or several."
        )
    threshold = min(max(held_out, min(draws)), sorted(set(draws))[-2])
    out = frozenset(place for place, draw in enumerate(draws) if draw <= threshold)
    parts = {"held-out": out, "train": frozenset(range(len(draws))) - out}
    chosen = {
        part: Corpus(
            f"{corpus.name} ({part})",
            Chosen(corpus.documents, places),
            hashlib.sha256(f"{corpus.sha256} {part} {held_out!r}".encode()).hexdigest(),
        )
        for part, places in parts.items()
    }
    return Split(train=chosen["train"], held_out=chosen["held-out"])


def _draw(document: Document) -> float:
    """Return a number between 0 and 1 that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(document.text.encode()).digest()[:8], "big") / 2**64
