"""Train one run of a study, from the beginning or from where it was killed."""

from pathlib import Path
from typing import Any

import torch
import xarray as xr

from dva_lens.models.decoder import build
from dva_lens.results.schema import TRAIN_STEP
from dva_lens.study.checkpoints import saver
from dva_lens.study.job import Job
from dva_lens.training.log import TrainingLog
from dva_lens.training.loop import train
from dva_lens.training.state import StateFile

HELD_OUT_WINDOWS = 32
MODELS, STATE = "models", "state.safetensors"


def trained(job: Job, place: Path, *, device: torch.device, progress: Any = None) -> TrainingLog:
    """Train a model as planned, leave its checkpoints in a folder, return the log.

    The weights at the start depend on the seed alone.
    """
    recipe, every = job.run.recipe, job.study.save_every
    model = build(job.run.config, seed=job.run.seed).to(device)
    resume = None if every is None else StateFile(place / STATE, every)
    save = saver(job, place / MODELS)
    return train(
        model,
        job.texts.source.batches(recipe, job.run.seed),
        recipe,
        held_out=job.texts.source.held_out(recipe.length, HELD_OUT_WINDOWS),
        on_step=lambda step, _: save(step, model),
        progress=progress,
        resume=resume,
    )


def log_dataset(log: TrainingLog) -> xr.Dataset:
    """Return a training log as a labelled dataset."""
    described = {
        "loss": ("Training loss", "nat"),
        "held_out_loss": ("Held-out loss", "nat"),
        "seconds": ("Time spent training", "s"),
        "tokens": ("Tokens seen", "tokens"),
    }
    return xr.Dataset(
        {
            name: (TRAIN_STEP, getattr(log, name), {"long_name": title, "units": units})
            for name, (title, units) in described.items()
        },
        coords={TRAIN_STEP: log.step},
    )
