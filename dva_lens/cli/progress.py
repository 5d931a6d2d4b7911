"""Drawing progress: bars on a terminal, plain lines everywhere else."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isnan
from time import perf_counter
from typing import Any, final

import typer

from dva_lens.study.progress import OnProgress, StudyProgress

LINES_PER_RUN = 4


@contextmanager
def shown() -> Iterator[OnProgress]:
    """Return what to call with each now of a study."""
    if not sys.stderr.isatty():
        yield Lines().tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        overall = bars.add_task("runs", total=1, loss="")
        current = {"": bars.add_task("text", total=1, loss="")}  # one per run that is worked on

        finished: set[str] = set()

        def tell(now: StudyProgress) -> None:
            loss = "" if isnan(now.loss) else f"loss {now.loss:.3f}"
            done = now.phase in ("kept", "finished")
            finished.update([now.run] if done else [])
            bars.update(overall, total=max(now.of, 1), completed=len(finished))
            if done:
                bars.console.print(line(now), markup=False, highlight=False)
                _hide(bars, current, now.run)
                return
            if now.run not in current:
                _hide(bars, current, "")
                current[now.run] = bars.add_task(now.run, total=max(now.steps, 1), loss=loss)
            phase = "" if now.phase == "train" else f"{now.phase} "
            where: dict[str, Any] = (
                {"total": now.steps, "completed": now.step} if now.steps else {}
            )
            bars.update(current[now.run], description=f"{phase}{now.run}", loss=loss, **where)

        yield tell


def _hide(bars: Any, current: dict[str, Any], run: str) -> None:
    if run in current:
        bars.remove_task(current.pop(run))


def quiet_unless_watched() -> None:
    """Keep the bars that transformers draws while it loads to those who sit at a terminal."""
    if not sys.stderr.isatty():
        from transformers.utils import logging

        logging.disable_progress_bar()


@contextmanager
def counted(what: str, units: str) -> Iterator[Callable[[Any], None]]:
    """Return what to call with anything that knows `done`, `total` and `seconds_left`."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress as Bars

        with Bars(console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task(what, total=None)
            yield lambda at: bars.update(task, completed=at.done, total=at.total)
        return
    said = 0

    def tell(at: Any) -> None:
        nonlocal said
        part = LINES_PER_RUN * at.done // max(at.total, 1)
        if part > said:
            said = part
            typer.echo(
                f"{what}: {at.done} of {at.total} {units}, {at.seconds_left:.0f} s left", err=True
            )

    yield tell


@final
class Lines:
    """Prints a line when a run begins and ends and a few times between."""

    def __init__(self) -> None:
        self.since = perf_counter()
        self.part: dict[str, int] = {}

    def tell(self, now: StudyProgress) -> None:
        """Print what is worth a line."""
        if now.phase in ("train", "measure"):
            part = LINES_PER_RUN * now.step // max(now.steps, 1)
            if now.step and part == self.part.get(now.run):
                return
            self.part[now.run] = part
        spent = perf_counter() - self.since
        typer.echo(f"{spent:6.0f} s  {line(now)}", err=True)


def line(now: StudyProgress) -> str:
    """Return a now as a person reads it."""
    where = f"{now.run} ({now.number} of {now.of})"
    loss = "" if isnan(now.loss) else f", loss {now.loss:.3f}"
    held_out = "" if isnan(now.loss) else f", held-out loss {now.loss:.3f}"
    left = "" if isnan(now.seconds_left) else f", {now.seconds_left:.0f} s left"
    note = f"; {now.note}" if now.note else ""
    windows = f", {now.step} of {now.steps} windows" if now.steps else ""
    return {
        "prepare": "reading the text and learning its tokens",
        "wait": "waiting for a worker to join the cluster",
        "kept": f"{where}: already there{held_out}{note}",
        "train": f"{where}: step {now.step} of {now.steps}{loss}{left}",
        "measure": f"{where}: measuring{windows}",
        "finished": f"{where}: finished{held_out}",
    }[now.phase]
