"""A study on a cluster: every run is worked on in a folder of its own, and moved by one process.

A worker brings its run up to date in `DIR/.partial/KEY.cluster-N`, which is an archive like any
other. The process that holds `DIR` moves finished runs into it, so each is written once, however
many workers were lost on the way. A worker that was only thought lost holds its own folder.
"""

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

from dva_lens.results.archive import Archive, scan
from dva_lens.results.schema import ARCHIVE, PARTIAL, RUNS
from dva_lens.results.writer import create_archive
from dva_lens.study import checkpoints
from dva_lens.study.cluster.connection import Cluster, ClusterTask, TaskFailure, connected
from dva_lens.study.definition import Study
from dva_lens.study.folder import LOCK, adopt_run, claimed, renew_catalogue
from dva_lens.study.job import Job
from dva_lens.study.measuring import EDGE_BUDGET
from dva_lens.study.memory import check_memory
from dva_lens.study.progress import OnProgress, StudyProgress, silent
from dva_lens.study.runner import StudyRunner, Teller
from dva_lens.training.distributed import World

_ATTEMPTS = 100


def run_on_cluster(
    study: Study,
    folder: Path | str,
    address: str | Cluster,
    progress: OnProgress = silent,
    *,
    edges: int = EDGE_BUDGET,
) -> Path:
    """Train and measure a study as `dva_lens.study.run` does, its runs spread over a cluster.

    `address` is `tcp://HOST:PORT` of a Dask scheduler, `local:N`, or what `connected` gives. The
    folder must be on a file system that all workers share. A run that fails keeps no other from
    being finished.

    Raises
    ------
    ConnectionError, ModuleNotFoundError
        There is no scheduler, or the extra `cluster` is missing.
    RuntimeError
        Another process is writing to the folder, or runs failed; the message says of one why.
    ValueError
        The address or the study cannot be used, or the text is standard input.
    """
    place = Path(folder).resolve()
    for part in study.each_part().values():
        if part.text == "-":
            raise ValueError("Standard input is read once, and no worker sees it; name a file.")
    with ExitStack() as held:
        cluster = held.enter_context(connected(address))
        held.enter_context(claimed(place, study))
        create_archive(place)
        progress(StudyProgress("prepare"))
        runner = StudyRunner(place, scan(place), World(), edges)
        jobs = [job for name in study.each_part() for job in runner.jobs(study, name)]
        tasks = [
            _task(study, place, edges, job, (at, len(jobs))) for at, job in enumerate(jobs, 1)
        ]
        if not cluster.has_workers:
            progress(StudyProgress("wait"))
        by_label = {job.run.label: job for job in jobs}
        failed: dict[str, TaskFailure] = {}
        for task, outcome in cluster.outcomes(tasks, lambda said: progress(StudyProgress(**said))):
            if isinstance(outcome, TaskFailure):
                failed[task.label] = outcome
            elif outcome is not None:
                _adopt(by_label[task.label], place, Path(outcome))
        renew_catalogue(place, study)
    for label, why in failed.items():
        raise RuntimeError(
            f"{label} failed on the cluster: {why.words}. {len(jobs) - len(failed)} of "
            f"{len(jobs)} runs are finished, and the same command continues."
        )
    return place / ARCHIVE


def _task(study: Study, folder: Path, edges: int, job: Job, place: tuple[int, int]) -> ClusterTask:
    about = {"part": job.run.part, "key": job.run.key, "number": place[0], "of": place[1]}
    return ClusterTask(
        job.run.label, work, (study.to_dict(), str(folder), str(Path.cwd()), edges, about)
    )


def work(
    study: Mapping[str, Any], folder: str, home: str, edges: int, about: Mapping[str, Any]
) -> str | None:
    """Bring one run up to date, on a worker; return the folder that holds it now.

    None says that the folder of the study holds it as it should be.
    """
    from dva_lens.study.cluster.worker import Saying, at_work

    place = Path(folder)
    with at_work(home, str(place / PARTIAL / LOCK)) as say, ExitStack() as held:
        whole, archive = Study.from_dict(study), scan(place)
        check_memory(whole)  # of this machine
        found = StudyRunner(place, archive, World(), edges).jobs(whole, about["part"])
        job = next(each for each in found if each.run.key == about["key"])
        now = StudyProgress("kept", job.run.label, about["number"], about["of"])
        scratch = _own_folder(place, job.run.key, held)
        _bring(job, archive, scratch)
        runner = StudyRunner(scratch, scan(scratch), World(), edges)
        before = _written(scratch, job)
        runner.work_on(job, Teller(Saying(say, ()), now))
        fresh = not _is_there(archive, job) or _written(scratch, job) != before
    return str(scratch) if fresh else _dropped(scratch)


def _dropped(scratch: Path) -> None:
    shutil.rmtree(scratch, ignore_errors=True)


def _is_there(archive: Archive, job: Job) -> bool:
    return job.run.key in {run.key for run in archive.runs}


def _written(folder: Path, job: Job) -> int:
    """Return when a run was written, 0 where there is none."""
    group = folder / ARCHIVE / RUNS / job.run.key / "zarr.json"
    return group.stat().st_mtime_ns if group.is_file() else 0


def _own_folder(folder: Path, key: str, held: ExitStack) -> Path:
    """Return a folder to work on a run in, which no other worker holds."""
    for number in count():
        place = folder / PARTIAL / f"{key}.cluster-{number}"
        place.mkdir(parents=True, exist_ok=True)
        try:
            held.enter_context(claimed(place))
        except RuntimeError:
            if number == _ATTEMPTS:
                raise
            continue
        create_archive(place)
        return place
    raise AssertionError


def _bring(job: Job, archive: Archive, scratch: Path) -> None:
    """Bring what was there before: the run and its models, to be measured again where need be."""
    group = ARCHIVE / Path(RUNS) / job.run.key
    if _is_there(archive, job) and not (scratch / group).exists():
        shutil.copytree(archive.folder / group, scratch / group)
    models, here = (checkpoints.kept(place, job.run) for place in (archive.folder, scratch))
    if checkpoints.complete(models, job.run) and _is_there(archive, job) and not here.exists():
        here.parent.mkdir(exist_ok=True)
        here.symlink_to(models, target_is_directory=True)


def _adopt(job: Job, folder: Path, scratch: Path) -> None:
    """Move a run that a worker finished to where it stays; its models first, then its numbers."""
    key, models = job.run.key, checkpoints.kept(scratch, job.run)
    if not models.is_symlink():
        checkpoints.move(models, folder, job.run)
    adopt_run(folder, key, scratch / ARCHIVE / RUNS / key, job.whole)
    for attempt in (folder / PARTIAL).glob(f"{key}.cluster-*"):
        shutil.rmtree(attempt, ignore_errors=True)
