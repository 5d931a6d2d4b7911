"""Run a study: train what is missing, measure what is outdated, keep what is done."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, final

import torch
import xarray as xr

from dva_lens.models.costs import flops_per_token, kv_bytes_per_token, parameters
from dva_lens.results.archive import Archive, scan
from dva_lens.results.schema import ARCHIVE, PARTIAL, RUNS
from dva_lens.results.writer import create_archive
from dva_lens.study import checkpoints
from dva_lens.study.definition import Study
from dva_lens.study.folder import check_text, claimed, keep_run, measurements_of, renew_catalogue
from dva_lens.study.job import Job
from dva_lens.study.measuring import EDGE_BUDGET, Wanted, measured, outdated, updated
from dva_lens.study.memory import check_memory
from dva_lens.study.planned import planned_runs
from dva_lens.study.progress import OnProgress, StudyProgress, silent
from dva_lens.study.texts import prepare
from dva_lens.study.training import MODELS, STATE, log_dataset, trained
from dva_lens.training.distributed import World, processes
from dva_lens.training.log import TrainingLog, TrainingProgress


def run(
    study: Study,
    folder: Path | str,
    progress: OnProgress = silent,
    *,
    edges: int = EDGE_BUDGET,
) -> Path:
    """Train and measure a study into a folder and return the path of its archive.

    `edges` are the bytes that the largest edges of single queries may take in every run that is
    measured now, 0 for none.

    Whatever stops it, runs that were finished stay, and calling it again continues. Where a
    launcher started several processes all of them train; the first one measures and writes.

    Raises
    ------
    FileExistsError
        The folder is a file, or holds something else than a study.
    FileNotFoundError
        The text of the study is not there.
    MemoryError
        A model of the study cannot be trained in the memory of this machine.
    RuntimeError
        Another process is writing to the folder.
    ValueError
        The folder holds another study, or the text cannot be used.
    FloatingPointError
        The loss of a training became infinite or not a number.
    """
    place = Path(folder)
    check_memory(study)
    with processes() as world, _held(place, study, world):
        progress = progress if world.reports else silent
        progress(StudyProgress("prepare"))
        runner = StudyRunner(place, scan(place), world, edges)
        todo = [job for name in study.each_part() for job in runner.jobs(study, name)]
        for number, job in enumerate(todo, start=1):
            now = StudyProgress("kept", job.run.label, number, len(todo))
            runner.work_on(job, Teller(progress, now))
        if world.reports:
            renew_catalogue(place, study)
    return place / ARCHIVE


@contextmanager
def _held(folder: Path, study: Study, world: World) -> Iterator[None]:
    if not world.reports:
        yield
        return
    with claimed(folder, study):
        create_archive(folder)
        yield


@final
@dataclass(frozen=True)
class Teller:
    """Tells whoever watches where one run stands."""

    progress: OnProgress
    base: StudyProgress

    def __call__(self, phase: Any, **more: Any) -> None:
        """Tell that the run is in a phase."""
        self.progress(replace(self.base, phase=phase, **more))

    def training(self, at: TrainingProgress) -> None:
        """Tell where the training of the run stands."""
        self("train", **asdict(at))


@final
@dataclass(frozen=True)
class StudyRunner:
    """Brings runs up to date in a folder, whose archive held `archive` when the study began."""

    folder: Path
    archive: Archive
    world: World
    edges: int = EDGE_BUDGET

    @property
    def device(self) -> torch.device:
        """Where models are trained and measured."""
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def jobs(self, study: Study, name: str) -> list[Job]:
        """Return the runs of a part with all that they need, its text read and checked."""
        parts = study.each_part()
        part = parts[name]
        texts = prepare(part, self.folder, name)
        check_text(self.archive, texts, name)
        planned = planned_runs(
            part,
            vocabulary=texts.tokenizer.get_vocab_size(),
            data=texts.data,
            tokenizer=texts.tokenizer_sha256,
            part=name,
            before=[parts[each] for each in takewhile(lambda each: each != name, parts)],
        )
        return [Job(part, run, texts, study) for run in planned]

    def work_on(self, job: Job, tell: Teller) -> None:
        """Bring one run up to date: train it, measure it again, or leave it."""
        here = job.run.key in {found.key for found in self.archive.runs}
        if here and self.world.reports:  # a process that died may have written and not moved
            self._tidy(job)
        before = measurements_of(self.archive, job.run.key)
        wanted = outdated(job, before)
        models = checkpoints.kept(self.folder, job.run)
        if not here or (wanted and not checkpoints.complete(models, job.run)):
            with self._cleared(job):
                self._train(job, tell)
        elif wanted and self.world.reports:
            self._measure_again(job, before, wanted, tell)
        else:
            note = "" if checkpoints.complete(models, job.run) else self._gone(job)
            tell("kept", loss=self._attrs_before(job)["loss"], note=note)

    def _gone(self, job: Job) -> str:
        group = self.folder / ARCHIVE / RUNS / job.run.key
        return (
            f"models are missing from {checkpoints.kept(self.folder, job.run)}; its numbers stay, "
            f"and to train it again, delete {group}"
        )

    def _attrs_before(self, job: Job) -> dict[str, Any]:
        return dict(self.archive.run(job.run.key).attrs)

    def _place(self, job: Job) -> Path:
        return self.folder / PARTIAL / f"{job.run.key}.training"

    def _tidy(self, job: Job) -> None:
        """Put the models of a written run where they stay and leave nothing of its training."""
        checkpoints.move(self._place(job) / MODELS, self.folder, job.run)
        shutil.rmtree(self._place(job), ignore_errors=True)

    def _train(self, job: Job, tell: Teller) -> None:
        place = self._place(job)
        if self.world.reports:
            self._continue(job)
        self.world.wait()
        tell("train", steps=job.run.recipe.steps)
        log = trained(job, place, device=self.device, progress=tell.training)
        if not self.world.reports:
            return
        tell("measure")
        wanted = outdated(job, {})
        now = self._measured(job, wanted, place / MODELS)
        # Written before the models are moved: until then a killed process finds all it needs.
        self._write(job, _attrs(job, log), now, log_dataset(log))
        self._tidy(job)
        tell("finished", loss=log.final_loss)

    def _continue(self, job: Job) -> None:
        """Leave of an unfinished training what it can continue from, and nothing else."""
        place = self._place(job)
        if job.study.save_every is None:
            shutil.rmtree(place, ignore_errors=True)
        elif (place / STATE).is_file():
            checkpoints.reclaim(place / MODELS, self.folder, job.run)
            checkpoints.restart_without_models(place / MODELS, place / STATE, job.run)

    @contextmanager
    def _cleared(self, job: Job) -> Iterator[None]:
        """Leave nothing of a training that fails and would not be continued."""
        try:
            yield
        except BaseException as error:
            lost = job.study.save_every is None or isinstance(error, FloatingPointError)
            if lost and self.world.reports:
                shutil.rmtree(self._place(job), ignore_errors=True)
            raise

    def _measure_again(
        self, job: Job, before: Mapping[str, xr.Dataset], wanted: Wanted, tell: Teller
    ) -> None:
        tell("measure")
        models = checkpoints.kept(self.folder, job.run)
        fresh = self._measured(job, wanted, models)
        joined = {
            name: updated(before.get(name), fresh[name]) if name in fresh else before[name].load()
            for name in dict.fromkeys((*job.texts.evaluation, *before))
        }
        attrs = self._attrs_before(job)
        log = self.archive.training(job.run.key).load()
        self._write(job, attrs, joined, log)
        tell("finished", loss=attrs["loss"])

    def _measured(self, job: Job, wanted: Wanted, models: Path) -> dict[str, xr.Dataset]:
        return measured(job, wanted, models=models, device=self.device, edges=self.edges)

    def _write(
        self,
        job: Job,
        attrs: Mapping[str, Any],
        measurements: Mapping[str, xr.Dataset],
        training: xr.Dataset,
    ) -> None:
        keep_run(
            self.folder,
            job.run.key,
            attrs=attrs,
            measurements=measurements,
            training=training,
            study=job.whole,
        )


def _attrs(job: Job, log: TrainingLog) -> dict[str, Any]:
    """Return what a trained run says of itself."""
    config, facts = job.run.config, job.provenance
    if job.study.match is not None:
        facts["models_matched_in"] = job.study.match.words
    return {
        **job.about,
        "order": job.run.order,
        "study": job.whole.name,
        "part": job.run.part,
        "config": json.dumps(config.to_dict()),
        "recipe": json.dumps(job.run.recipe.to_dict()),
        "provenance": json.dumps(facts),
        "parameters": parameters(config),
        "flops_per_token": flops_per_token(config),
        "kv_bytes_per_token": kv_bytes_per_token(config),
        "train_seconds": log.total_seconds,
        "train_tokens": int(log.tokens[-1]),
        "loss": log.final_loss,
    }
