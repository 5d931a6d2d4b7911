"""Run a study: train what is missing, measure what is outdated, keep what is done."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, final

import torch
import xarray as xr

from dva_lens.models.costs import flops_per_token, kv_bytes_per_token, parameters
from dva_lens.results.archive import Archive, scan
from dva_lens.results.schema import ARCHIVE, PARTIAL, SCHEMA_VERSION, ArchiveError
from dva_lens.results.writer import create_archive, write_catalogue, write_run
from dva_lens.study import checkpoints
from dva_lens.study.definition import Plan, Study, plans
from dva_lens.study.folder import claimed
from dva_lens.study.measuring import measured, outdated, updated
from dva_lens.study.progress import Moment, Progress, silent
from dva_lens.study.texts import Texts, prepare
from dva_lens.study.training import Workshop, log_dataset, provenance, trained
from dva_lens.training.distributed import World, processes
from dva_lens.training.log import Progress as At
from dva_lens.training.log import TrainingLog


def run(study: Study, folder: Path | str, progress: Progress = silent) -> Path:
    """Train and measure a study into a folder and return the path of its archive.

    Whatever stops it, runs that were finished stay, and calling it again continues. Where a
    launcher started several processes all of them train; the first one measures and writes.
    """
    place = Path(folder)
    with processes() as world, _held(place, study, world):
        progress = progress if world.reports else silent
        progress(Moment("prepare"))
        texts = prepare(study, place)
        todo = plans(
            study,
            vocabulary=texts.tokenizer.get_vocab_size(),
            data=texts.sha256,
            tokenizer=texts.tokenizer_sha256,
        )
        archive = scan(place)
        bench = _Bench(study, place, texts, archive, world)
        for number, plan in enumerate(todo, start=1):
            bench.work_on(plan, _Teller(progress, Moment("kept", plan.label, number, len(todo))))
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
class _Teller:
    """Tells whoever watches where one run stands."""

    progress: Progress
    base: Moment

    def __call__(self, phase: Any, **more: Any) -> None:
        self.progress(replace(self.base, phase=phase, **more))

    def training(self, at: At) -> None:
        """Tell where the training of the run stands."""
        self("train", **asdict(at))


@final
@dataclass(frozen=True)
class _Bench:
    """What all runs of a study share while it runs."""

    study: Study
    folder: Path
    texts: Texts
    archive: Archive
    world: World

    @property
    def device(self) -> torch.device:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def work_on(self, plan: Plan, tell: _Teller) -> None:
        """Bring one run up to date: train it, measure it again, or leave it."""
        before = self._before(plan)
        wanted = outdated(before, self.study, plan, self.texts)
        models = checkpoints.kept(self.folder, plan)
        if plan.key not in self._keys or (wanted and not checkpoints.complete(models, plan)):
            self._train(plan, tell)
        elif wanted and self.world.reports:
            self._measure_again(plan, before, wanted, tell)
        else:
            tell("kept", loss=self._attrs_before(plan)["loss"])

    @property
    def _keys(self) -> frozenset[str]:
        return frozenset(run.key for run in self.archive.runs)

    def _attrs_before(self, plan: Plan) -> dict[str, Any]:
        return dict(self.archive.run(plan.key).attrs)

    def _before(self, plan: Plan) -> dict[str, xr.Dataset]:
        """Return the measurements that are there and whole."""
        found = {}
        for probe in self.archive.probes(plan.key) if plan.key in self._keys else ():
            try:
                found[probe] = self.archive.dataset(plan.key, probe)
            except ArchiveError:
                continue
        return found

    def _train(self, plan: Plan, tell: _Teller) -> None:
        place = self.folder / PARTIAL / f"{plan.key}.training"
        if self.study.save_every is None and self.world.reports:
            shutil.rmtree(place, ignore_errors=True)
        tell("train", steps=plan.recipe.steps)
        workshop = Workshop(place, self.device, self.study.save_every)
        log = trained(plan, self.texts, workshop, progress=tell.training)
        if not self.world.reports:
            return
        tell("measure")
        wanted = outdated({}, self.study, plan, self.texts)
        now = self._measured(plan, place / "models", wanted)
        checkpoints.move(place / "models", self.folder, plan)
        self._write(plan, self._attrs(plan, log), now, log_dataset(log))
        shutil.rmtree(place, ignore_errors=True)
        tell("finished", loss=log.final_loss)

    def _measure_again(
        self,
        plan: Plan,
        before: Mapping[str, xr.Dataset],
        wanted: Mapping[str, tuple[str, ...]],
        tell: _Teller,
    ) -> None:
        tell("measure")
        fresh = self._measured(plan, checkpoints.kept(self.folder, plan), wanted)
        together = {
            name: updated(before.get(name), fresh[name]) if name in fresh else before[name].load()
            for name in dict.fromkeys((*self.study.probes, *before))
        }
        attrs = self._attrs_before(plan)
        log = self.archive.training(plan.key).load()
        self._write(plan, attrs, together, log)
        tell("finished", loss=attrs["loss"])

    def _measured(
        self, plan: Plan, models: Path, wanted: Mapping[str, tuple[str, ...]]
    ) -> dict[str, xr.Dataset]:
        return measured(
            self.study, plan, self.texts, models=models, wanted=wanted, device=self.device
        )

    def _write(
        self,
        plan: Plan,
        attrs: Mapping[str, Any],
        measurements: Mapping[str, xr.Dataset],
        training: xr.Dataset,
    ) -> None:
        write_run(self.folder, plan.key, attrs=attrs, measurements=measurements, training=training)
        rows = [dict(row) for row in scan(self.folder).catalogue]
        study = self.study.to_dict()
        write_catalogue(self.folder, {"schema": SCHEMA_VERSION, "study": study, "runs": rows})

    def _attrs(self, plan: Plan, log: TrainingLog) -> dict[str, Any]:
        facts = provenance(self.texts)
        if self.study.match is not None:
            facts["models_matched_in"] = self.study.match.words
        return {
            "model": plan.preset,
            "preset": plan.preset,
            "seed": plan.seed,
            "label": plan.label,
            "order": plan.order,
            "study": self.study.name,
            "config": json.dumps(plan.config.to_dict()),
            "recipe": json.dumps(plan.recipe.to_dict()),
            "provenance": json.dumps(facts),
            "parameters": parameters(plan.config),
            "flops_per_token": flops_per_token(plan.config),
            "kv_bytes_per_token": kv_bytes_per_token(plan.config),
            "train_seconds": log.total_seconds,
            "train_tokens": int(log.tokens[-1]),
            "loss": log.final_loss,
        }
