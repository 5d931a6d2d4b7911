"""Train one run of a study, from the beginning or from where it was killed."""

import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
import xarray as xr
from jaxtyping import Int

from dva_lens.data.batches import Windows, held_out_windows
from dva_lens.models.decoder import build
from dva_lens.results.schema import TRAIN_STEP
from dva_lens.study.checkpoints import saver
from dva_lens.study.definition import Plan
from dva_lens.study.texts import Texts
from dva_lens.training.log import TrainingLog
from dva_lens.training.loop import train
from dva_lens.training.state import StateFile

HELD_OUT_WINDOWS = 32


@final
@dataclass(frozen=True)
class Workshop:
    """Where a run is trained: on which device, in which folder, and how often it is saved."""

    folder: Path
    device: torch.device
    save_every: int | None = None


def trained(plan: Plan, texts: Texts, workshop: Workshop, *, progress: Any = None) -> TrainingLog:
    """Train a model as planned, leave its checkpoints in the workshop, return the log.

    The weights at the start depend on the seed alone.
    """
    model = build(plan.config, seed=plan.seed).to(workshop.device)
    resume = None
    if workshop.save_every is not None:
        resume = StateFile(workshop.folder / "state.safetensors", workshop.save_every)
    save = saver(workshop.folder / "models", plan, texts.tokenizer, provenance(texts))
    return train(
        model,
        Windows(texts.train.tokens, plan.recipe.batch, plan.recipe.length, plan.seed),
        plan.recipe,
        held_out=_held_out(plan, texts),
        on_step=lambda step, _: save(step, model),
        progress=progress,
        resume=resume,
    )


def provenance(texts: Texts) -> dict[str, Any]:
    """Return what a training rests on besides its plan."""
    return {
        "text": texts.name,
        "text_sha256": texts.sha256,
        "tokenizer_sha256": texts.tokenizer_sha256,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "dva_lens": version("dva-lens"),
    }


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


def _held_out(plan: Plan, texts: Texts) -> Int[np.ndarray, "sequence position"]:
    return held_out_windows(texts.held_out, length=plan.recipe.length, count=HELD_OUT_WINDOWS)
