"""Where the scalars of a training go besides the archive: trackers that people look at anyway."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from dva_lens.validation import meant

Tracker = Callable[[int, Mapping[str, float]], None]
"""Takes the number of steps done, and scalars by name."""
PREFIX = "lens/"


def trackers_of(names: Sequence[str], folder: Path) -> tuple[Tracker, ...]:
    """Return the trackers of some names; each is imported now and not before.

    Raises
    ------
    KeyError
        There is no tracker of a name.
    ModuleNotFoundError
        Its package is not installed.
    RuntimeError
        It has no run to write to.
    """
    unknown = [name for name in names if name not in TRACKERS]
    if unknown:
        raise KeyError(
            f"Unknown tracker {unknown[0]!r}{meant(unknown[0], TRACKERS)}; there are: "
            f"{', '.join(TRACKERS)}."
        )
    return tuple(TRACKERS[name](folder) for name in names)


def _wandb(folder: Path) -> Tracker:
    del folder  # a run of wandb has a place of its own
    wandb = _imported("wandb", "wandb")
    if wandb.run is None:
        raise RuntimeError(
            "wandb has no run to write to; call wandb.init() before the training begins, or leave "
            "'wandb' out of report_to."
        )

    def log(step: int, scalars: Mapping[str, float]) -> None:
        named = {f"{PREFIX}{name}": value for name, value in scalars.items()}
        wandb.log({**named, "train/global_step": step})

    return log


def _tensorboard(folder: Path) -> Tracker:
    writer = _imported("torch.utils.tensorboard", "tensorboard").SummaryWriter(
        str(folder / "tensorboard")
    )

    def log(step: int, scalars: Mapping[str, float]) -> None:
        for name, value in scalars.items():
            writer.add_scalar(f"{PREFIX}{name}", value, step)
        writer.flush()

    return log


def _imported(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise ModuleNotFoundError(
            f"Reporting to {package} needs the package `{package}` (pip install "
            f"'dva-lens[trackers]'); or leave {package!r} out of report_to."
        ) from error


TRACKERS: dict[str, Callable[[Path], Tracker]] = {"wandb": _wandb, "tensorboard": _tensorboard}
