"""A training that somebody else runs, measured as it goes: the primary set at log-spaced steps."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, final

import numpy as np
import torch
import xarray as xr
from torch import nn

from dva_lens import axes
from dva_lens.measuring import measure
from dva_lens.measuring.inputs import InputOptions
from dva_lens.measuring.prepare import prepare_tokens
from dva_lens.results.archive import scan
from dva_lens.results.collect import collect
from dva_lens.results.estimates import mean_of
from dva_lens.results.schema import statistics_of
from dva_lens.statistics.table import PRIMARY, RECORDED
from dva_lens.study.folder import claimed, keep_run, measurements_of, refuse_foreign
from dva_lens.study.keys import digest
from dva_lens.study.measuring import stacked
from dva_lens.study.one_run import TEXT, config_of, costs_of, mean_loss, place_of
from dva_lens.study.trackers import Tracker, trackers_of
from dva_lens.training.recipe import measure_steps

WRITE_EVERY = 60.0
"""Seconds after which the archive is written again, so that a crash costs a minute at most."""
SEQUENCES = 4


def follow(  # noqa: PLR0913  (a public function: every choice has a name and a default)
    model: nn.Module,
    folder: Path | str,
    text: Any,
    *,
    steps: int,
    done: int = 0,
    measurements: int = 8,
    name: str | None = None,
    length: int | None = None,
    sequences: int = SEQUENCES,
    statistics: Sequence[str] = RECORDED,
    tokenizer: Any = None,
    report_to: Sequence[str] = (),
) -> "Follower":
    """Measure a training as it goes, and return what is called after every step.

    The archive is that of `dva-lens measure`, with steps as a dimension, so that its Training
    page and `dva-lens compare` read it. Measuring changes neither weights nor random numbers.

    Parameters
    ----------
    model, text, length, tokenizer
        As in `dva_lens.measure`. The text is the same at every step; keep it short.
    folder : path
        The archive; runs of other names in it stay.
    steps : int
        How many steps the training takes.
    done : int
        How many it has taken; a training that continues keeps what was measured before.
    measurements : int
        How often to measure after the untrained model, at log-spaced steps that end with `steps`.
    name : str, optional
        What to call the run; default: the class of the model.
    sequences : int
        How many sequences of the text are read, the first ones.
    statistics : names
        Which statistics; default: the primary set, and what findings need.
    report_to : names
        Trackers that receive the mean of every statistic: "wandb", "tensorboard".

    Raises
    ------
    ValueError
        A number is out of range, or the archive holds a run of this name of another model or
        text.
    FileExistsError
        The folder holds something else than an archive.
    KeyError
        There is no such tracker or statistic.
    ModuleNotFoundError
        The package of a tracker is not installed.
    RuntimeError
        A tracker has no run to write to.

    Examples
    --------
    >>> from dva_lens import load
    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> look = follow(model, "runs/mine", "To be, or not to be.", steps=2)  # before the loop
    >>> for step in (1, 2):
    ...     look(step)  # after every step of the optimiser
    >>> sorted(look.measured)
    [0, 1, 2]
    """
    counts = {"steps": steps, "measurements": measurements, "sequences": sequences}
    for called, count in counts.items():
        if count < 1:
            raise ValueError(f"{called} must be at least 1, got {count}.")
    refuse_foreign(Path(folder))
    given = _fixed_text(model, text, InputOptions(length, None, None, tokenizer), sequences)
    run = Follower(
        model,
        Path(folder),
        given,
        FollowedRun(name or type(model).__name__, steps, tuple(statistics)),
        frozenset(measure_steps(steps, measurements)),
        trackers_of(report_to, Path(folder)),
    )
    run.start(done)
    return run


@final
@dataclass(frozen=True)
class FixedText:
    """The sequences that are measured at every step."""

    tokens: Sequence[np.ndarray]
    documents: tuple[str, ...]
    tokenizer: Any

    @property
    def key(self) -> str:
        """Return what tells this text from others."""
        return digest([row.tolist() for row in self.tokens])


@final
@dataclass(frozen=True)
class FollowedRun:
    """What is followed: the name of the run, its steps, and the statistics that are taken."""

    name: str
    steps: int
    statistics: tuple[str, ...]


@final
@dataclass
class Follower:
    """What is called after every step: it measures when a measurement is due.

    `measured` holds the measurements by step, and `seconds` is the time they took, with writing.
    """

    model: nn.Module
    folder: Path
    text: FixedText
    run: FollowedRun
    due: frozenset[int]
    trackers: tuple[Tracker, ...] = ()
    measured: dict[int, xr.Dataset] = field(default_factory=dict[int, xr.Dataset])
    seconds: float = 0.0
    _written: float = field(default_factory=perf_counter)

    def __call__(self, step: int) -> None:
        """Measure if this many steps done are one of the numbers at which it is due."""
        if step not in self.due or step in self.measured:
            return
        started = perf_counter()
        self.measured[step] = self._measure()
        if self.trackers:
            scalars = scalars_of(self.measured[step])
            for tracker in self.trackers:
                tracker(step, scalars)
        if step == self.run.steps or perf_counter() - self._written > WRITE_EVERY:
            self.write()
        self.seconds += perf_counter() - started

    def start(self, done: int) -> None:
        """Take up what was measured of the steps done, and measure now if it is due.

        Raises
        ------
        ValueError
            The archive holds a run of this name of another model or text.
        """
        archive = scan(self.folder)
        others = {run.label for run in archive.runs if run.key != self.key}
        if self.run.name in others:
            raise ValueError(
                f"{self.folder} holds another run called {self.run.name!r}, of another model or "
                f"text; pass another name."
            )
        former = measurements_of(archive, self.key).get(TEXT) if done else None
        if former is not None and axes.STEP in former.dims:
            steps = former[axes.STEP].values.tolist()
            self.measured = {
                int(step): former.sel({axes.STEP: step}, drop=True).load()
                for step in steps
                if step <= done
            }
        self(done)

    def write(self) -> None:
        """Write the run as it is so far into the archive, whole or not at all."""
        about = {"preset": self.run.name, "seed": 0, "label": self.run.name}
        data = stacked(self.measured).assign_attrs({**about, "text": TEXT})
        with claimed(self.folder):
            attrs = {
                **about,
                "model": self.run.name,
                "order": place_of(scan(self.folder), self.key),
                "loss": mean_loss(self.measured[max(self.measured)]),
                "train_seconds": None,
                "provenance": json.dumps({"text": TEXT, "text_sha256": self.text.key}),
                **costs_of(self.model),
            }
            keep_run(self.folder, self.key, attrs=attrs, measurements={TEXT: data})
        self._written = perf_counter()

    @property
    def key(self) -> str:
        """Return the key of the run in the archive: its name, its model and its text."""
        about = {"followed": self.run.name, "config": config_of(self.model)}
        return digest({**about, "text": self.text.key})

    def close(self) -> None:
        """Write what a training that ended early has left unwritten."""
        if self.measured and self.run.steps not in self.measured:
            self.write()

    def _measure(self) -> xr.Dataset:
        devices = [
            each for each in range(torch.cuda.device_count()) if torch.cuda.is_initialized()
        ]
        with torch.random.fork_rng(devices=devices):
            return measure(
                self.model,
                list(self.text.tokens),
                documents=self.text.documents,
                tokenizer=self.text.tokenizer,
                statistics=self.run.statistics,
                name=self.run.name,
            )


def scalars_of(data: xr.Dataset) -> dict[str, float]:
    """Return the mean of every primary statistic over layers, heads and text, where it has one."""
    measured = collect(data)
    named = [name for name in statistics_of(data) if name in PRIMARY]
    means = {name: float(mean_of(measured.values(name))) for name in named}
    return {name: mean for name, mean in means.items() if np.isfinite(mean)}


def _fixed_text(model: nn.Module, text: Any, options: InputOptions, sequences: int) -> FixedText:
    found = prepare_tokens(model, text, options)
    count = min(sequences, len(found.sequences))
    tokens = [found.sequences.tokens(index) for index in range(count)]
    return FixedText(tokens, tuple(found.sequences.documents[:count]), found.tokenizer)
