"""The models of a run on disk: the trained one, and one per step at which it is looked at."""

import shutil
from collections.abc import Callable
from pathlib import Path

from dva_lens.files import read_json
from dva_lens.models.checkpoint import CONFIG, TRAINING, WEIGHTS, save_checkpoint
from dva_lens.models.config import ModelConfig
from dva_lens.models.decoder import Decoder
from dva_lens.results.schema import CHECKPOINTS
from dva_lens.study.job import Job
from dva_lens.study.keys import train_key
from dva_lens.study.planned import PlannedRun
from dva_lens.training.state import saved_steps

STEPS = "steps"


def saver(job: Job, place: Path) -> Callable[[int, Decoder], None]:
    """Return what to call with the model after each step that counts."""
    run, about, tokenizer = job.run, job.provenance, job.texts.checkpoint_tokenizer

    def save(step: int, model: Decoder) -> None:
        training = {**about, "step": step, "seed": run.seed, "recipe": run.recipe.to_dict()}
        save_checkpoint(step_folder(place, step, run), model, tokenizer, training)

    return save


def step_folder(place: Path, step: int, run: PlannedRun) -> Path:
    """Return where the model after a step is kept: the last one on top, the others below it."""
    return place if step == run.recipe.steps else place / STEPS / f"{step:07d}"


def complete(place: Path, run: PlannedRun) -> bool:
    """Say whether the model of every step is there."""
    return not missing(place, run, until=run.recipe.steps)


def missing(place: Path, run: PlannedRun, *, until: int) -> list[int]:
    """Return the steps up to one whose models should be there and are not."""
    return [
        step
        for step in run.recipe.measure_steps
        if step <= until
        and not all((step_folder(place, step, run) / name).is_file() for name in (CONFIG, WEIGHTS))
    ]


def restart_without_models(working: Path, state: Path, run: PlannedRun) -> None:
    """Drop a training state without the models of the steps before it: nothing makes them now.

    Raises
    ------
    ValueError
        The file is not a whole training state.
    """
    for draft in working.glob(f"{STEPS}/.*"):  # of a process that was killed
        shutil.rmtree(draft)
    if state.is_file() and missing(working, run, until=saved_steps(state)):
        state.unlink()


def reclaim(working: Path, folder: Path, run: PlannedRun) -> None:
    """Bring back the models of a training that were moved before its run was written.

    What stands under the name of the run is only taken where it says that it is of this training.
    """
    moved = kept(folder, run)
    if not working.is_dir() and complete(moved, run) and _key_of(moved) == run.key:
        working.parent.mkdir(parents=True, exist_ok=True)
        moved.replace(working)


def _key_of(place: Path) -> str:
    """Return the key of the training that left a model, empty where it does not say all of it."""
    try:
        config = ModelConfig.from_dict(read_json(place / CONFIG)["model"])
        about = read_json(place / TRAINING)
        return train_key(
            config.to_dict(),
            about["recipe"],
            data=about.get("data", about["text_sha256"]),
            tokenizer=about["tokenizer_sha256"],
            seed=about["seed"],
        )
    except (ValueError, KeyError, OSError):
        return ""


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
