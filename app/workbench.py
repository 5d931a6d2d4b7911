"""What one server holds: the library of now, and the models that can be run into it."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, final

from dva_lens.results.archive import Archive, scan
from dva_lens.results.union import union

from .library import Library
from .live import LiveJob, Runner, models_of
from .live.jobs import OUT, Task
from .live.results import (
    MARK,
    MOST,
    LiveFinding,
    LiveMeasurement,
    LiveResult,
    finding_of,
    forget,
    keep_measurement,
)
from .live.runner import LONGEST
from .live.tasks import Measuring
from .live.worker import COMMAND

POOL = "archive"
Result = TypeVar("Result", bound=LiveResult)


@final
class Workbench:
    """An archive, what was measured live beside it, and the one runner of a server.

    `library` is replaced as a whole when a live run has joined it, so a call that has begun goes
    on reading the one that it began with. `why_not` says why nothing is to be run at all, if so.

    Raises
    ------
    ArchiveError
        No run of the archive can be read.
    FileNotFoundError
        A model is named by a path, and nothing is there.
    """

    def __init__(
        self,
        archive: Archive,
        models: Sequence[str] = (),
        *,
        command: Sequence[str] = COMMAND,
        limit: float = LONGEST,
        why_not: str = "",
    ) -> None:
        self.archive = archive
        self.models = {} if why_not else models_of(archive, models)
        self._why_not = why_not
        self.runner = Runner(self._take, command=command, limit=limit)
        self.results: tuple[LiveResult, ...] = ()
        self.library = self._library(archive)
        self._lock = threading.Lock()

    def close(self) -> None:
        """End what runs and delete what was measured live."""
        self.runner.close()

    def found(self, task: Task) -> LiveResult | None:
        """Return the latest result of a task, if it is still held."""
        return next((each for each in reversed(self.results) if each.job.task == task), None)

    def _take(self, job: LiveJob, folder: Path) -> None:
        """Keep what a job left."""
        finished = replace(job, phase="finished")
        with self._lock:
            if isinstance(job.task, Measuring):
                text = self._name_of(job)
                self._join(keep_measurement(finished, folder / OUT, self._pool, text=text))
            else:
                self._add(finding_of(finished, folder))

    def _add(self, found: LiveFinding) -> None:
        """Keep a result that is no run; where there are many of its kind, the oldest goes."""
        self._drop(*_oldest([each for each in self.results if type(each) is type(found)]))
        self.results = (*self.results, found)

    def _join(self, found: LiveMeasurement) -> None:
        """Let the library hold a measurement too; where there are many, the oldest goes."""
        held = [each for each in self.results if isinstance(each, LiveMeasurement)]
        for each in _oldest(held):
            self._drop(each)
            forget(each, self._pool)
        self.results = (*self.results, found)
        self.library = self._library(union(self.archive, scan(self._pool)))

    def _name_of(self, job: LiveJob) -> str:
        """Name a text after its first run, so that models run on one text can be compared."""
        held = (each for each in self.results if isinstance(each, LiveMeasurement))
        same = (each.text for each in held if each.job.task.text == job.task.text)
        return next(same, f"{MARK}-{job.number}")

    def _library(self, archive: Archive) -> Library:
        return Library(archive, tuple(self.models), why_no_live=self._why_not)

    def _drop(self, *dropped: LiveResult) -> None:
        self.results = tuple(each for each in self.results if each not in dropped)

    @property
    def _pool(self) -> Path:
        return self.runner.folder / POOL


def _oldest(held: Sequence[Result]) -> Sequence[Result]:
    """Return the results, in their order, that have to go before one more is kept."""
    return held[: max(0, len(held) + 1 - MOST)]
