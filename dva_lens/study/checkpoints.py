"""The models of a run on disk: the trained one, and one per step at which it is looked at."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tokenizers import Tokenizer

from dva_lens.models.checkpoint import save_checkpoint
from dva_lens.models.decoder import Decoder
from dva_lens.results.schema import CHECKPOINTS
from dva_lens.study.definition import Plan

STEPS = "steps"


def saver(
    place: Path, plan: Plan, tokenizer: Tokenizer, about: dict[str, object]
) -> Callable[[int, Decoder], None]:
    """Return what to call with the model after each step that counts."""

    def save(step: int, model: Decoder) -> None:
        training = {**about, "step": step, "seed": plan.seed, "recipe": plan.recipe.to_dict()}
        save_checkpoint(step_folder(place, step, plan), model, tokenizer, training)

    return save


def step_folder(place: Path, step: int, plan: Plan) -> Path:
    """Return where the model after a step is kept: the last one on top, the others below it."""
    return place if step == plan.recipe.steps else place / STEPS / f"{step:07d}"


def complete(place: Path, plan: Plan) -> bool:
    """Say whether the model of every step is there."""
    return all(
        (step_folder(place, step, plan) / "config.json").is_file()
        for step in plan.recipe.measure_steps
    )


def kept(folder: Path, plan: Plan) -> Path:
    """Return where the models of a finished run are."""
    return folder / CHECKPOINTS / plan.label


def move(working: Path, folder: Path, plan: Plan) -> Path:
    """Move the models of a finished training to where they stay."""
    target = kept(folder, plan)
    target.parent.mkdir(exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    return working.replace(target)
