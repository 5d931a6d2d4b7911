"""Where text comes from: the running Python's documentation, files, standard input, data sets."""

from dva_lens.data.documentation import default_corpus
from dva_lens.data.documents import Corpus, Document, corpus_of
from dva_lens.data.hub import PREFIX, hub_corpus
from dva_lens.data.text import stdin_corpus, text_corpus

__all__ = [
    "Corpus",
    "Document",
    "corpus_of",
    "default_corpus",
    "hub_corpus",
    "open_corpus",
    "stdin_corpus",
    "text_corpus",
]


def open_corpus(where: str | None = None, *, whole: bool = False) -> Corpus:
    """Return the text a person named on the command line.

    None is the default text, `-` standard input, `hf:NAME` a data set, anything else a path. A
    single document of a path stays `whole`, instead of being cut into sections.

    Raises
    ------
    FileNotFoundError
        There is nothing at the path.
    ModuleNotFoundError
        A data set is named and the package that reads them is missing.
    ValueError
        The name is empty, what it names cannot be read as text, or it is to stay `whole` and is
        no path.
    """
    if where is not None and not where.strip():
        raise ValueError("A text must be named by a file, a folder, hf:NAME or -, got nothing.")
    if whole and (where is None or where == "-" or where.startswith(PREFIX)):
        raise ValueError("Only a file or a folder of text can stay whole; name one as the text.")
    if where is None:
        return default_corpus()
    if where == "-":
        return stdin_corpus()
    return hub_corpus(where) if where.startswith(PREFIX) else text_corpus(where, whole=whole)
