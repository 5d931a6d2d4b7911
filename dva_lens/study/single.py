"""Measure one existing model on a text and keep the result in an archive beside others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dva_lens.data.documents import Corpus, corpus_of
from dva_lens.loading import load
from dva_lens.recording.adapters import parts_of
from dva_lens.study.folder import claimed
from dva_lens.study.one_run import MeasuredText, MeasureOptions, OneRun
from dva_lens.validation import shown

__all__ = ["MeasureOptions", "measure_into", "measure_runs", "spread"]

LONGEST_NAME = 100


def measure_into(
    folder: Path,
    name: Any,
    corpus: Corpus,
    options: MeasureOptions,
    *,
    progress: Callable[[Any], None] | None = None,
) -> str:
    """Measure a model as `measure_runs` does; return its label, or those of its parts.

    Raises
    ------
    ValueError
        `measure_runs` says when.
    """
    return ", ".join(measure_runs(folder, name, corpus, options, progress=progress).values())


def measure_runs(
    folder: Path,
    name: Any,
    corpus: Corpus,
    options: MeasureOptions,
    *,
    progress: Callable[[Any], None] | None = None,
) -> dict[str | None, str]:
    """Measure a model on documents spread over a corpus, and add it to a folder.

    Returns the label of each part that was measured, under None where the model has no parts.

    Models are distinguished by their weights. One whose name another model of the folder has gets
    a longer one. The same model on the same text under the same name is measured anew: what
    its former measurement held beyond what is asked for now is measured or kept too.

    The parts of a model with an encoder and a decoder are runs of their own, "NAME · encoder",
    "NAME · decoder" and "NAME · cross"; without targets the encoder is measured alone.

    Raises
    ------
    ValueError
        The name that was asked for is none, or that of another run of the folder; the model
        cannot be run on the text; or there are targets, and the model has no decoder beside an
        encoder.
    """
    check_name(options.name)
    runs, whole = runs_of(folder, name, corpus, options)
    with claimed(folder):
        return {part: run.measured(whole, progress).kept(folder) for part, run in runs.items()}


def runs_of(
    folder: Path, name: Any, corpus: Corpus, options: MeasureOptions
) -> tuple[dict[str | None, OneRun], str]:
    """Open a model; return a run of the folder for each of its parts, and the name of the whole.

    Raises
    ------
    ValueError
        There are targets, and the model has no decoder beside an encoder.
    """
    model = load(name, **options.opening)
    text = _drawn_text(corpus, options)
    whole = options.name or file_name(name)
    parts: tuple[str | None, ...] = parts_of(model) or (None,)
    if text.target is not None and parts == (None,):
        raise ValueError(f"{name} is one stack of layers and reads one text; leave --target out.")
    if parts != (None,) and text.target is None:
        parts = parts[:1]
    return {part: OneRun(folder, model, text, options, part) for part in parts}, whole


def file_name(model: Any) -> str:
    """Return what a model is called that nobody named: the last part of its place."""
    return Path(model).name.removesuffix(".gguf") or model


def _drawn_text(corpus: Corpus, options: MeasureOptions) -> MeasuredText:
    """Draw the documents, and with each of them its target."""
    source = spread(corpus, options.documents, options.seed)
    target = options.target and spread(options.target, options.documents, options.seed)
    return MeasuredText(source, target)


def check_name(name: str | None) -> None:
    """Refuse what cannot be the name of a run; None is the name of its file.

    Raises
    ------
    ValueError
        It is empty, long, or holds what is not shown.
    """
    if name is None:
        return
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or "/" in name:
        raise ValueError(
            f"A name must be 1 to {LONGEST_NAME} printable characters without '/', got "
            f"{shown(name)}; pass another --name."
        )


def spread(corpus: Corpus, count: int, seed: int) -> Corpus:
    """Return a corpus of at most `count` documents, drawn evenly and kept in their order."""
    names = sum(1 for _ in corpus.documents)
    if names <= count:
        return corpus
    chosen = _drawn(names, count, seed)
    documents = tuple(one for place, one in enumerate(corpus.documents) if place in chosen)
    return corpus_of(corpus.name, documents)


def _drawn(population: int, count: int, seed: int) -> frozenset[int]:
    drawn = np.random.default_rng(seed).choice(population, count, replace=False)
    return frozenset(int(place) for place in drawn)
