"""What is killed: the commands that write into a folder, each with what the folder held before."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from small_text import small_corpus

import dva_lens.measuring
from dva_lens.cli import app
from dva_lens.data.tokenizer import train_tokenizer
from dva_lens.models.checkpoint import save_checkpoint
from dva_lens.models.config import ModelConfig
from dva_lens.models.decoder import build
from dva_lens.study import runner, single
from dva_lens.study.definition import Study
from dva_lens.training import loop

STUDY: dict[str, Any] = {
    "name": "tiny",
    "presets": ["transformer"],
    "seeds": [0],
    "size": {"layers": 1, "width": 8, "heads": 1, "vocabulary": 260, "context": 16},
    "recipe": {
        "steps": 4,
        "batch": 1,
        "warmup": 1,
        "measurements": 2,
        "eval_every": 2,
        "learning_rate": 1e-2,
    },
    "texts": ["held-out"],
    "sequences": 2,
    "text": "a",
}
STATE = {"save_every": 1}


class Job(NamedTuple):
    """A command that writes into `out`, after others that were not disturbed."""

    before: tuple[Callable[[], object], ...]
    work: Callable[[], object]


def study(**changes: Any) -> Callable[[], object]:
    """Return what trains and measures the tiny study, changed."""
    return lambda: runner.run(Study.from_dict(STUDY | changes), "out")


def command(*words: str) -> Callable[[], object]:
    """Return what calls the command line, which must not refuse."""

    def call() -> None:
        try:
            app([*words], prog_name="dva-lens")
        except SystemExit as left:
            if left.code:
                raise RuntimeError(f"dva-lens {' '.join(words)} ends with {left.code}") from None

    return call


def measured(model: str, text: str, *more: str) -> Callable[[], object]:
    """Return what measures a model on a text."""
    return command("measure", model, "--text", text, "--out", "out", *more)


TWO = {"presets": ["transformer", "dva"]}
JOBS = {
    "a study": Job((), study()),
    "a study that keeps its state": Job((), study(**STATE)),
    "a run beside another": Job((study(),), study(**TWO)),
    "a run beside another, with state": Job((study(**STATE),), study(**TWO, **STATE)),
    "another text of a study": Job((study(),), study(texts=["held-out", "shuffled"])),
    "a measurement": Job((), measured("model", "a")),
    "a measurement again": Job(
        (measured("model", "a"),),
        measured("model", "a", "--control", "shuffled"),
    ),
    "a measurement on another text": Job(
        (measured("model", "a"),), measured("model", "b", "--name", "on-b", "--no-queries")
    ),
    "tables": Job((study(),), command("export", "out")),
    "tables again": Job((study(), command("export", "out")), command("export", "out")),
    "a report": Job((study(),), command("report", "out", "--out", "out/report.html")),
}


def prepare(place: Path) -> None:
    """Make a folder the current one and leave two texts and two models in it; stop the clock."""
    os.chdir(place)
    torch.set_num_threads(1)
    loop.perf_counter = lambda: 0.0  # what is written then is the same every time
    tokenizer = train_tokenizer(small_corpus(documents=8, words=40), 260)
    for seed, name in enumerate(("a", "b")):
        Path(name).mkdir()
        for document in small_corpus(documents=12, words=40, seed=seed).documents:
            Path(name, f"{document.name}.txt").write_text(document.text, encoding="utf-8")
    for seed, name in enumerate(("model", "other")):
        sizes = {"layers": 1, "width": 8, "heads": 1, "vocabulary": 260, "context": 16}
        save_checkpoint(name, build(ModelConfig(**sizes), seed=seed), tokenizer)
    assert dva_lens.measuring
    assert single
