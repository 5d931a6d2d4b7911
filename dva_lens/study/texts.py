"""What a part of a study reads: a text split by document and cut into tokens, or a task."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Int
from tokenizers import Tokenizer

from dva_lens.data.batches import Batches, RandomWindows, held_out_windows
from dva_lens.data.cache import TokenCache, cache_tokenizer, cache_tokens
from dva_lens.data.corpus import open_corpus
from dva_lens.data.evaluation import TEXTS, EvaluationText, evaluation_text
from dva_lens.data.split import split
from dva_lens.data.tasks import TASKS, Task, task_tokenizer
from dva_lens.data.tokenizer import end_token, starting, tokenizer_hash
from dva_lens.study.definition import HELD_OUT, Study
from dva_lens.training.recipe import Recipe

CACHE = "tokens"
_CONTROL_SEED = 0


@final
@dataclass(frozen=True)
class TextSource:
    """Random windows of a text, with a start token before each if there is one."""

    train: TokenCache
    kept: TokenCache
    start: int | None = None

    def batches(self, recipe: Recipe, seed: int) -> Batches:
        """Return the training windows of a run by step; another seed sees others."""
        return RandomWindows(self.train.tokens, recipe.batch, recipe.length, seed, self.start)

    def held_out(self, length: int, count: int) -> Int[np.ndarray, "sequence position"]:
        """Return at most `count` windows of the documents that are held out."""
        return held_out_windows(self.kept, length=length, count=count, start=self.start)


@final
@dataclass(frozen=True)
class TaskSource:
    """Fresh sequences of a task at every step."""

    task: Task

    def batches(self, recipe: Recipe, seed: int) -> Batches:
        """Return the training sequences of a run by step; another seed sees others."""
        task = replace(self.task, length=recipe.length, batch=recipe.batch)
        return partial(task.__call__, order=seed)

    def held_out(self, length: int, count: int) -> Int[np.ndarray, "sequence position"]:
        """Return sequences that no training step gives."""
        return replace(self.task, length=length).sample(count).tokens


Source = TextSource | TaskSource
"""Where the training sequences of a run and its held-out ones come from."""


@final
@dataclass(frozen=True)
class Texts:
    """What every run of a part reads: the same tokens, in training and in measuring.

    `sha256` is the hash of the text or of the definition of the task, `data` names all that
    training reads, and `evaluation` holds the texts to measure on under the names that the
    archive gives them, the main one first. `starts` says that every sequence begins with the
    token that ends documents.
    """

    name: str
    sha256: str
    data: str
    tokenizer: Tokenizer
    source: Source
    evaluation: Mapping[str, EvaluationText]
    starts: bool = False

    @property
    def checkpoint_tokenizer(self) -> Tokenizer:
        """The tokenizer as models are kept with it: it begins texts as their training did."""
        return starting(self.tokenizer) if self.starts else self.tokenizer

    @property
    def main(self) -> str:
        """The name of the main evaluation text."""
        return next(iter(self.evaluation))

    @property
    def tokenizer_sha256(self) -> str:
        """A hash of everything that decides how the tokenizer cuts text."""
        return tokenizer_hash(self.tokenizer)


def prepare(study: Study, folder: Path, part: str = "") -> Texts:
    """Read what a part of a study is trained on and cut it; tokens of a text stay in `folder`.

    `part` is the name of a part that is not the first; names of its evaluation texts begin with
    it.

    Raises
    ------
    FileNotFoundError
        The text is not there.
    ValueError
        It cannot be read as text, is too short for the study, or not the text that the study
        asks for.
    """
    found = _of_text(study, folder) if study.task is None else _of_task(study, study.task)
    main = next(iter(found.evaluation.values()))
    evaluation = {}
    for kind, name in zip(study.texts, study.texts_after(part), strict=True):
        text = main if kind == HELD_OUT else TEXTS[kind](main, _CONTROL_SEED)
        evaluation[name] = replace(text, name=name)
    return replace(found, evaluation=evaluation)


def _of_text(study: Study, folder: Path) -> Texts:
    corpus = open_corpus(study.text)
    if study.text_sha256 not in (None, corpus.sha256):
        raise ValueError(
            f"The study {study.name!r} reads the text with sha256 {study.text_sha256[:12]}, and "
            f"{corpus.name} has {corpus.sha256[:12]}; pass that text with --text."
        )
    parts = split(corpus)
    tokenizer = cache_tokenizer(parts.train, study.size.vocabulary, folder / CACHE)
    train, held_out = (
        cache_tokens(part, tokenizer, folder / CACHE) for part in (parts.train, parts.held_out)
    )
    start = end_token(tokenizer) if study.start else None
    text = evaluation_text(
        held_out, length=study.size.context, sequences=study.sequences, start=start
    )
    data = corpus.sha256 if start is None else _hash(f"start {start} {corpus.sha256}")
    source = TextSource(train, held_out, start)
    return Texts(
        corpus.name, corpus.sha256, data, tokenizer, source, {text.name: text}, study.start
    )


def _of_task(study: Study, name: str) -> Texts:
    task = TASKS[name](vocabulary=study.size.vocabulary, length=study.size.context)
    text = task.sample(study.sequences).evaluation_text(name)
    rules = _hash(repr(task))
    tokenizer = task_tokenizer(task)
    return Texts(f"task {name}", rules, rules, tokenizer, TaskSource(task), {name: text})


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
