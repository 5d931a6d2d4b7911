"""One job at a time: started, followed, cancelled, and cleaned up after."""

import logging
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, final

from dva_lens.writing import write_text

from .jobs import TEXT_FILE, LiveJob, Task
from .sentences import failure, progress_of, without_places
from .tasks import forget_layers
from .worker import COMMAND, Worker

LONGEST = 600.0
"""Seconds after which a job is ended."""
_LOG = logging.getLogger("dva_lens.app.live")


class BusyError(RuntimeError):
    """Another job is running, or the server is about to stop."""


@final
class Runner:
    """The jobs of one server, in a temporary folder that goes with it.

    `take` is called with a job whose process has succeeded and the folder with what it left; an
    exception in it makes the job a failed one. From the first success on a process stands by that
    has loaded what the next job needs, which takes longer than most jobs.
    """

    def __init__(
        self,
        take: Callable[[LiveJob, Path], None],
        *,
        command: Sequence[str] = COMMAND,
        limit: float = LONGEST,
    ) -> None:
        self._take, self._command, self._limit = take, command, limit
        self._lock = threading.Lock()
        self._job: LiveJob | None = None
        self._worker: Worker | None = None
        self._standby: Worker | None = None
        self._thread: threading.Thread | None = None
        self._since = 0.0
        self._folder: Path | None = None
        self._closed = False

    @property
    def folder(self) -> Path:
        """Return the temporary folder, which is made when it is first needed."""
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="dva-lens-live-"))
            return self._folder

    @property
    def job(self) -> LiveJob | None:
        """Return the running or the last job as it is now."""
        with self._lock:
            job = self._job
            if job is None or job.phase != "running":
                return job
            return replace(job, seconds=monotonic() - self._since)

    def start(self, task: Task) -> LiveJob:
        """Begin a task and return its job.

        Raises
        ------
        BusyError
            Another job is running.
        """
        place = self.folder
        with self._lock:
            if self._closed:
                raise BusyError("The explorer is about to stop.")
            if self._job is not None and self._job.phase == "running":
                raise BusyError(
                    f"Another run is in progress ({self._job.task.title}), and one model runs at "
                    f"a time; wait for it, or cancel it."
                )
            forget_layers(place)
            job = LiveJob(1 if self._job is None else self._job.number + 1, task)
            folder = place / str(job.number)
            folder.mkdir()
            write_text(folder / TEXT_FILE, task.text)
            self._worker = worker = self._worker_for(task.words(folder))
            self._job, self._since = job, monotonic()
            self._thread = threading.Thread(
                target=self._follow, args=(job, worker, folder), name="dva-lens-live", daemon=True
            )
            self._thread.start()
            return job

    def cancel(self) -> None:
        """End the running job, if there is one."""
        with self._lock:
            job, worker = self._job, self._worker
        if job is not None and worker is not None and self._now(job, phase="cancelled"):
            worker.end()

    def join(self, seconds: float | None = None) -> None:
        """Wait until the running job has ended."""
        if self._thread is not None:
            self._thread.join(seconds)

    def close(self) -> None:
        """End what runs and delete what was left; nothing can be started any more."""
        with self._lock:
            self._closed = True
        self.cancel()
        self.join(10.0)
        with self._lock:
            folder, self._folder = self._folder, None
            standby, self._standby = self._standby, None
        if standby is not None:
            standby.dismiss()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _follow(self, job: LiveJob, worker: Worker, folder: Path) -> None:
        try:
            code = worker.wait(self._limit, partial(self._hear, job))
            said = self._said(job, worker, code)
            if not said and self._is_running(job):
                self._take(job, folder)
        except Exception:
            _LOG.exception("What live run %d left could not be read", job.number)
            said = "What the run left could not be read; the terminal says why."
        finally:
            worker.end()
            shutil.rmtree(folder, ignore_errors=True)
        if self._now(job, phase="failed" if said else "finished", said=said) and not said:
            self._stand_by()

    def _worker_for(self, words: Sequence[str]) -> Worker:
        """Return a process that runs a command: the one that stands by, if it is still there."""
        standby, self._standby = self._standby, None
        if standby is not None:
            if standby.assign(words):
                return standby
            standby.dismiss()
        return Worker(words, self._command)

    def _stand_by(self) -> None:
        with self._lock:
            if self._standby is None and not self._closed:
                self._standby = Worker(command=self._command)

    def _now(self, job: LiveJob, **changes: Any) -> bool:
        """Change what is known of a job that runs; say whether it did."""
        with self._lock:
            now = self._job
            if now is None or now.number != job.number or now.phase != "running":
                return False
            self._job = replace(now, **changes, seconds=monotonic() - self._since)
            return True

    def _is_running(self, job: LiveJob) -> bool:
        return self._now(job)

    def _hear(self, job: LiveJob, line: str) -> None:
        found = progress_of(line)
        if found is not None:
            self._now(job, done=found[0], total=found[1])

    def _said(self, job: LiveJob, worker: Worker, code: int) -> str:
        """Return why a process failed, and nothing where it succeeded."""
        if worker.is_late:
            return (
                f"It took longer than {self._limit:.0f} seconds and was ended; choose a shorter "
                f"text or a smaller model."
            )
        if code == 0:
            return ""
        lines, model = list(worker.lines), job.task.model
        if self._is_running(job):
            _LOG.warning("Live run of %s: %s", model.name, "\n".join(lines) or code)
        places = {str(self._folder): "the text", model.place: model.name}
        return without_places(failure(code, lines), places)
