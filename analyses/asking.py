"""What scripts about one model have in common: a model, a text, and how to say what went wrong."""

import argparse
import sys
from collections.abc import Callable, Iterable
from typing import Any

from dva_lens.data.corpus import open_corpus
from dva_lens.data.documents import Corpus
from dva_lens.loading import load
from dva_lens.results.tables import to_csv
from dva_lens.study.single import spread


def parser_of(name: str, about: str) -> argparse.ArgumentParser:
    """Return a parser of the options that all of these scripts share."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {name}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="checkpoint folder or Hugging Face name")
    parser.add_argument("--text", help="plain, .gz or .xz; by default what comes with Python")
    parser.add_argument("--length", type=int, help="tokens per window; by default the context")
    parser.add_argument("--documents", type=int, default=8, help="at most so many documents")
    parser.add_argument("--seed", type=int, default=0, help="decides what is drawn")
    parser.add_argument("--csv", action="store_true", help="print commas instead of columns")
    return parser


def answered(
    given: argparse.Namespace, table: Callable[[Any, Corpus], Iterable[tuple[str, ...]]]
) -> int:
    """Print a table about a model and a text, heads first; 1 and one sentence if it cannot be."""
    try:
        text = spread(open_corpus(given.text), given.documents, given.seed)
        rows = list(table(load(given.model), text))
    except (OSError, ValueError, TypeError, KeyError, MemoryError) as error:
        sys.stderr.write(f"{error.args[0] if error.args else error}\n")
        return 1
    sys.stdout.write(to_csv(rows[0], rows[1:]) if given.csv else _columns(rows))
    return 0


def _columns(rows: list[tuple[str, ...]]) -> str:
    wide = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    padded = [
        "  ".join(cell.rjust(size) for cell, size in zip(row, wide, strict=True)) for row in rows
    ]
    return "".join(f"{line.rstrip()}\n" for line in padded)
