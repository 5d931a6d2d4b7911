"""The models of a run on disk: the trained one, and one per step at which it is looked at."""

import shutil
from collections.abc import Callable
from pathlib import Path

from dva_lens.models.checkpoint import save_checkpoint
from dva_lens.models.decoder import Decoder
from dva_lens.results.schema import CHECKPOINTS
from dva_lens.study.job import Job
from dva_lens.study.planned import PlannedRun

STEPS = "steps"


def saver(job: Job, place: Path) -> Callable[[int, Decoder], None]:
    """Return what to call with the model after each step that counts."""
    run, about = job.run, job.provenance

    def save(step: int, model: Decoder) -> None:
        training = {**about, "step": step, "seed": run.seed, "recipe": run.recipe.to_dict()}
        save_checkpoint(step_folder(place, step, run), model, job.texts.tokenizer, training)

    return save


def step_folder(place: Path, step: int, run: PlannedRun) -> Path:
    """Return where the model after a step is kept: the last one on top, the others below it."""
    return place if step == run.recipe.steps else place / STEPS / f"{step:07d}"


def complete(place: Path, run: PlannedRun) -> bool:
    """Say whether the model of every step is there."""
    return all(
        (step_folder(place, step, run) / "config.json").is_file()
        for step in run.recipe.measure_steps
    )


def kept(folder: Path, run: PlannedRun) -> Path:
    """Return where the models of a finished run are."""
    return folder / CHECKPOINTS / run.label


def move(working: Path, folder: Path, run: PlannedRun) -> None:
    """Move the models of a finished training, where there are any, to where they stay."""
    if not working.is_dir():
        return
    target = kept(folder, run)
    target.parent.mkdir(exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    working.replace(target)
