"""The state of an unfinished training on disk, in safetensors: a killed run continues from it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dva_lens.models.stored_weights import CHECKSUM, check_digest, digest_of
from dva_lens.training.recipe import Recipe
from dva_lens.writing import write_whole

Curves = dict[str, Float[np.ndarray, "train_step"]]


@final
@dataclass(frozen=True)
class StateFile:
    """Where the state of a training is kept, and after how many steps it is written anew."""

    path: Path
    every: int = 200


def save_state(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    recipe: Recipe,
    step: int,
    curves: Curves,
) -> None:
    """Write weights, optimiser, random state and curves after `step` steps, at once or not."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for kind, tensor in optimizer.state[parameter].items():
            tensors[f"optimizer.{kind}.{name}"] = tensor
    tensors |= {f"curve.{name}": torch.from_numpy(values) for name, values in curves.items()}
    tensors |= {f"random.{device}": state for device, state in _random(model).items()}
    about = {"step": str(step), "recipe": json.dumps(recipe.to_dict())}
    path.parent.mkdir(parents=True, exist_ok=True)
    # Clones, because tied weights share memory and the format wants each tensor on its own.
    copies = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    about[CHECKSUM] = digest_of(copies)
    write_whole(path, lambda draft: save_file(copies, draft, about))


def load_state(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, *, recipe: Recipe
) -> tuple[int, Curves]:
    """Put a saved state into model, optimiser and random generators; return steps and curves."""
    about, tensors = _read(path)
    _check_recipe(path, Recipe.from_dict(json.loads(about["recipe"])), recipe)
    weights = _part(tensors, "model.")
    _check_weights(path, weights, model)
    model.load_state_dict(weights)
    kept = {kind: _part(tensors, f"optimizer.{kind}.") for kind in _kinds(tensors)}
    for name, parameter in model.named_parameters():
        state = {kind: held[name] for kind, held in kept.items() if name in held}
        optimizer.state[parameter] = {k: t.to(parameter.device) for k, t in state.items()}
    random = _part(tensors, "random.")
    torch.set_rng_state(random["cpu"])
    if "cuda" in random and torch.cuda.is_available():
        torch.cuda.set_rng_state(random["cuda"])
    curves = {name: tensor.numpy() for name, tensor in _part(tensors, "curve.").items()}
    return int(about["step"]), curves


def saved_steps(path: Path) -> int:
    """Return after how many steps a state was written.

    Raises
    ------
    ValueError
        The file is not a whole training state.
    """
    with _opened(path) as file:
        return int(_about(path, file)["step"])


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = _about(path, file)
    check_digest(tensors, about, path)
    return about, tensors


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except SafetensorError as error:
        raise ValueError(
            f"{str(path)!r} is not a whole training state ({error}); delete it to start over."
        ) from error


def _about(path: Path, file: Any) -> dict[str, str]:
    about = file.metadata() or {}
    if not {"step", "recipe"} <= set(about):
        raise ValueError(f"{str(path)!r} is not a training state; delete it to start over.")
    return about


def _check_recipe(path: Path, saved: Recipe, wanted: Recipe) -> None:
    before, now = saved.to_dict(), wanted.to_dict()
    changed = [f"{key} {before[key]} -> {now[key]}" for key in now if before[key] != now[key]]
    if changed:
        raise ValueError(
            f"{str(path)!r} was written under another recipe ({', '.join(changed)}); delete it to "
            "start over."
        )


def _check_weights(path: Path, saved: dict[str, Tensor], model: nn.Module) -> None:
    before = {name: tuple(tensor.shape) for name, tensor in saved.items()}
    now = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            raise ValueError(
                f"{str(path)!r} belongs to another model: {name!r} is {before.get(name)} there "
                f"and {now.get(name)} here; delete it to start over."
            )


def _random(model: nn.Module) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if next(model.parameters()).device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _kinds(tensors: dict[str, Tensor]) -> list[str]:
    return sorted({name.split(".")[1] for name in tensors if name.startswith("optimizer.")})
