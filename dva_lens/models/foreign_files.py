"""The files of a checkpoint of transformers, checked before that library opens any of them.

It waits for what a pipe may bring, takes memory for sizes that no weights fill, and says what is
wrong in its own words; what can be known before is said here, with the file that is the culprit.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

CONFIG, WEIGHTS = "config.json", "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
WANTED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
LARGEST_CONFIG = 1 << 24
LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "encoder_layers", "decoder_layers")


@contextmanager
def blaming(culprit: Path, what: str) -> Iterator[None]:
    """Say of whatever a library raises which file or folder it is about, and in one line.

    Raises
    ------
    ValueError
        Anything but a lack of memory was raised.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # libraries raise what they like, also bare Exception
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"{str(culprit)!r} {what}: {lines[0][:300]}") from error


def check_regular(folder: Path) -> None:
    """Refuse a folder in which something that will be read is no regular file.

    Raises
    ------
    ValueError
        There is a folder, a device, a pipe or a link to nothing under such a name.
    """
    for file in sorted(path for pattern in WANTED for path in folder.glob(pattern)):
        _check_regular(file)


def read_config(folder: Path) -> dict[str, Any]:
    """Return what config.json holds.

    Raises
    ------
    FileNotFoundError
        There is none.
    ValueError
        It is no regular file, no JSON object, or too large.
    """
    file = folder / CONFIG
    _check_regular(file)
    if not file.exists():
        raise FileNotFoundError(
            f"{str(folder)!r} holds no {CONFIG}, so it is not a checkpoint of a model."
        )
    if file.stat().st_size > LARGEST_CONFIG:
        raise ValueError(f"{str(file)!r} must hold at most {LARGEST_CONFIG:,} bytes.")
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError(f"{str(file)!r} is not valid JSON: it is nested too deeply.") from None
    except ValueError as error:
        raise ValueError(f"{str(file)!r} is not valid JSON ({error}).") from error
    if not isinstance(found, dict):
        raise ValueError(f"{str(file)!r} must hold a JSON object.")  # noqa: TRY004
    return found


def check_weights(folder: Path) -> None:
    """Refuse weights that are pickles, that are not all there, or that end too soon.

    Raises
    ------
    FileNotFoundError
        There are none, or some are missing.
    ValueError
        They are pickles, damaged or not in the folder; the message names the file.
    """
    names = _weight_files(folder)
    absent = sorted(name for name in names if not (folder / name).exists())
    if absent and not any(folder.glob("*.safetensors")):
        pickles = sorted(each.name for each in folder.iterdir() if each.suffix in PICKLES)
        if pickles:
            raise ValueError(
                f"{str(folder)!r} holds weights only as pickles ({pickles[0]}), which can run "
                f"code when loaded; save the model again with safetensors."
            )
        raise FileNotFoundError(f"{str(folder)!r} holds no weights; {WEIGHTS} is missing.")
    if absent:
        raise FileNotFoundError(
            f"{str(folder)!r} is only partly there: {len(absent)} of {len(names)} weight files "
            f"are missing, such as {absent[0]}; download it again."
        )
    for name in sorted(names):
        _shapes(folder / name)


def numbers_in(folder: Path) -> int:
    """Return how many numbers the weights of a folder hold, read off the headers of their files.

    Raises
    ------
    ValueError
        A file is damaged.
    """
    files = [folder / name for name in _weight_files(folder)]
    return sum(prod(shape) for file in files for shape in _shapes(file))


def check_amount(folder: Path, architecture: type[nn.Module], config: Any) -> None:
    """Refuse a configuration of a model that the weights cannot fill, before memory is taken.

    Raises
    ------
    ValueError
        It describes more layers than there are tensors, or more than twice their numbers.
    """
    if getattr(config, "quantization_config", None) is not None:
        return  # several numbers are packed into one
    shapes = [shape for name in _weight_files(folder) for shape in _shapes(folder / name)]
    for part in (config, *(value for value in vars(config).values() if hasattr(value, "to_dict"))):
        for name in LAYERS:
            layers = getattr(part, name, None)
            if isinstance(layers, int) and layers > len(shapes):
                raise ValueError(
                    f"{str(folder / CONFIG)!r} says {name}={layers}, and the weights are "
                    f"only {len(shapes)} tensors; they do not belong together."
                )
    what = f"does not describe a model of {architecture.__name__}"
    with blaming(folder / CONFIG, what), torch.device("meta"):
        empty = architecture(config)
    described = sum(each.numel() for each in empty.parameters())
    held = sum(prod(shape) for shape in shapes)
    if described > 2 * held:
        raise ValueError(
            f"{str(folder / CONFIG)!r} describes a model of {described:,} numbers, and its "
            f"weights hold {held:,}; they do not belong together."
        )


def _check_regular(file: Path) -> None:
    if not file.is_file() and (file.exists() or file.is_symlink()):
        raise ValueError(
            f"{str(file)!r} is not a regular file, so it is not read; put the file itself there."
        )


def _weight_files(folder: Path) -> set[str]:
    """Return the names of the files that hold the weights, all of them inside the folder."""
    index = folder / INDEX
    if not index.exists():
        return {WEIGHTS}
    try:
        names = {str(name) for name in json.loads(index.read_text("utf-8"))["weight_map"].values()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{str(index)!r} must be JSON with a 'weight_map' from weights to files, and is not "
            f"({type(error).__name__}: {error})."
        ) from error
    for name in sorted(names):
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(
                f"{str(index)!r} names {name!r}, which is not in the folder; weights are read "
                f"from the folder of their checkpoint alone."
            )
    return names


def _shapes(file: Path) -> list[list[int]]:
    try:
        with safe_open(file, framework="pt") as stored:
            return [stored.get_slice(name).get_shape() for name in stored.keys()]  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{str(file)!r} is damaged or only half downloaded ({error}); download it again."
        ) from error
