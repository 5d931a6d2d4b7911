"""Existing models measured on a cluster: each model a task, its runs kept by one process."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from dva_lens.data.documents import Corpus
from dva_lens.results.archive import scan
from dva_lens.results.schema import PARTIAL
from dva_lens.study.cluster.connection import Cluster, ClusterTask, TaskFailure, connected
from dva_lens.study.folder import LOCK, claimed
from dva_lens.study.one_run import MeasuredRun, MeasureOptions, label_for, place_of
from dva_lens.study.progress import OnProgress, StudyProgress, silent
from dva_lens.study.single import check_name, file_name, runs_of

Named = tuple[str, str | None]
"""A model, and what to call it in the archive; None is the name of its file."""


class ModelOutcome(NamedTuple):
    """What came of one model: the label of each part that was measured, or why none was."""

    model: str
    labels: dict[str | None, str]
    failure: TaskFailure | None = None


def measure_on_cluster(
    folder: Path,
    models: Sequence[Named],
    corpus: Corpus,
    options: MeasureOptions,
    address: str | Cluster,
    progress: OnProgress = silent,
) -> Iterator[ModelOutcome]:
    """Measure models as `measure_runs` does, spread over a cluster; yield each as it is kept.

    `address` is `tcp://HOST:PORT` of a Dask scheduler, `local:N`, or what `connected` gives.
    Models, text and folder must be on a file system that all workers share. A model that fails
    keeps no other from being measured.

    Raises
    ------
    ConnectionError, ModuleNotFoundError
        There is no scheduler, or the extra `cluster` is missing.
    ValueError
        The address or a name cannot be used.
    """
    for _, name in models:
        check_name(name)
    place = Path(folder).resolve()
    with connected(address) as cluster, claimed(place):
        first = place_of(scan(place), "")
        tasks = {
            f"{at}-{file_name(model)}": (at, model, name)
            for at, (model, name) in enumerate(models, start=1)
        }
        if not cluster.has_workers:
            progress(StudyProgress("wait"))
        outcomes = cluster.outcomes(
            [
                ClusterTask(
                    label,
                    work,
                    (str(place), str(Path.cwd()), model, corpus, replace(options, name=name), at),
                )
                for label, (at, model, name) in tasks.items()
            ],
            lambda said: progress(StudyProgress(**said, of=len(models))),
        )
        for task, found in outcomes:
            at, model, name = tasks[task.label]
            if isinstance(found, TaskFailure):
                yield ModelOutcome(model, {}, found)
                continue
            kept = {
                part: _kept(place, run, first + at - 1, chosen=name is not None)
                for part, run in found.items()
            }
            progress(StudyProgress("finished", name or file_name(model), at, len(models)))
            yield ModelOutcome(model, kept)


def work(
    folder: str,
    home: str,
    model: str,
    corpus: Corpus,
    options: MeasureOptions,
    number: int,
) -> dict[str | None, MeasuredRun]:
    """Measure the parts of one model, on a worker; nothing is written."""
    from dva_lens.study.cluster.worker import Saying, at_work

    with at_work(home, str(Path(folder) / PARTIAL / LOCK)) as say:
        tell = Saying(say, ("of",))
        runs, whole = runs_of(Path(folder), model, corpus, options)
        base = StudyProgress("measure", whole, number)
        tell(base)

        def progress(now: Any) -> None:
            tell(replace(base, step=now.done, steps=now.total, seconds_left=now.seconds_left))

        return {part: run.measured(whole, progress) for part, run in runs.items()}


def _kept(folder: Path, run: MeasuredRun, order: int, *, chosen: bool) -> str:
    """Keep a run, under a longer name where another took its own meanwhile; return its label."""
    archive = scan(folder)
    label = label_for(archive, run.key, run.label, chosen=chosen)
    known = run.key in {each.key for each in archive.runs}
    attrs = run.attrs if known else {**run.attrs, "order": order}
    return MeasuredRun(run.key, attrs, run.measurements).called(label).kept(folder)
