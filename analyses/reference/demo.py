"""What do a language model and an encoder of sentences, trained by others, attend to?

SmolLM2-135M-Instruct reads windows of 512 tokens and all-MiniLM-L6-v2 windows of 256, two of each
document: four topics of Python's documentation, or documents of a text of yours. With `--check`
the figures of SmolLM2 on Python's documentation are compared with those that this package was
released with; outside of the tolerance the command fails.

    make demo [BOOK=book.txt]
    python -m dva_lens.analyses.reference.demo --out runs/demo [--text book.txt]
    python -m dva_lens.analyses.reference.demo --out runs/demo --check
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from dva_lens.data.corpus import open_corpus
from dva_lens.data.documents import Corpus
from dva_lens.loading import load
from dva_lens.results.archive import Archive, open_archive
from dva_lens.study.single import MeasureOptions, measure_into, spread

from .checkpoints import MINILM_LENGTH, TOPICS, WINDOWS, excerpts
from .installed import MINILM, SMOLLM2, InstalledModel

DOCUMENTS, LENGTH = 4, 512


@final
@dataclass(frozen=True)
class ReleasedFigure:
    """A mean over layers, heads and windows of SmolLM2, and how far another may lie from it."""

    statistic: str
    words: str
    value: float
    tolerance: float


FIGURES = (
    ReleasedFigure("first_key_mass", "weight on the first key", 0.3054, 0.039),
    ReleasedFigure("sink_rate:0.3", "sink rate at 0.3", 0.7065, 0.125),
    ReleasedFigure("value_drain", "value of the first key over the median", 0.3665, 0.018),
    ReleasedFigure("massive_activation", "massive-activation ratio", 4445.0, 161.0),
)
"""Tolerances are two standard errors over the four topics, whose words change from one Python to
another; on the same words other kernels and processors differ in the fourth digit."""


def measured(out: Path, text: str | None) -> None:
    """Measure both models on the text and say what they are and whose."""
    corpus = spread(open_corpus(text), DOCUMENTS, 0) if text is not None else open_corpus()
    for about, length, special in ((SMOLLM2, LENGTH, 0), (MINILM, MINILM_LENGTH, 2)):
        sys.stdout.write(f"{about.name}: {about.source}, {about.licence}\n")
        _measure(out, about, corpus, (length, WINDOWS * (length - special), text is None))


def _measure(out: Path, about: InstalledModel, corpus: Corpus, cut: tuple[int, int, bool]) -> None:
    length, tokens, topics = cut
    model: Any = load(about.path)
    names = TOPICS if topics else tuple(each.name for each in corpus.documents)
    text = excerpts(corpus, model.tokenizer, tokens, names)
    measure_into(out, model, text, MeasureOptions(length=length, name=about.name))


def compared(found: Mapping[str, float]) -> Iterator[tuple[ReleasedFigure, float, bool]]:
    """Yield each figure, what was measured, and whether it is within the tolerance."""
    for figure in FIGURES:
        value = found[figure.statistic]
        yield figure, value, abs(value - figure.value) <= figure.tolerance


def figures_of(archive: Archive) -> dict[str, float]:
    """Return the means of SmolLM2 in an archive, by statistic."""
    names = [figure.statistic for figure in FIGURES]
    return {name: float(archive.values(name).sel(model=SMOLLM2.name).mean()) for name in names}


def check(out: Path) -> int:
    """Print the figures of SmolLM2 beside those of the release; 1 where one is outside."""
    wrong = 0
    for figure, found, within in compared(figures_of(open_archive(out))):
        wrong += not within
        verdict = "as released" if within else "OUTSIDE"
        sys.stdout.write(
            f"{figure.words:<40} {found:>9.4g}   {figure.value:.4g} ± {figure.tolerance:g}: "
            f"{verdict}\n"
        )
    return int(wrong > 0)


def main(words: Sequence[str] | None = None) -> int:
    """Measure, or check what was measured; the exit code says whether it is as released."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="Archive folder.")
    parser.add_argument("--text", help="Text file or folder in place of Python's documentation.")
    parser.add_argument("--check", action="store_true", help="Check what was measured before.")
    given = parser.parse_args(words)
    if given.check:
        return check(given.out)
    measured(given.out, given.text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
