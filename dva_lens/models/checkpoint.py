"""Checkpoints: a folder with config.json, model.safetensors, tokenizer.json and training.json.

Nothing in it can run. A folder is written beside its place and moved there whole; a model is
loaded whole or refused with the file and the key that is wrong.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, final
from uuid import uuid4

from pydantic import Field
from safetensors.torch import save_file
from tokenizers import Tokenizer

from dva_lens.models.config import ModelConfig
from dva_lens.models.decoder import Decoder
from dva_lens.models.stored_weights import CHECKSUM, check_amount, digest_of, fill
from dva_lens.validation import Value, say_former

CONFIG, WEIGHTS, TOKENIZER, TRAINING = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "training.json",
)
FILES = (CONFIG, WEIGHTS, TOKENIZER, TRAINING)
FORMAT = 2
READABLE = (1, FORMAT)
"""Format 1 calls the rule of attention `weights`."""
LARGEST_TEXT = 1 << 28
"""Bytes beyond which a file of text is none that belongs to a checkpoint."""


@final
class CheckpointConfig(Value, frozen=True):
    """What config.json holds: the format of the folder, and the model."""

    called: ClassVar[str] = "configuration of a checkpoint"

    format: Annotated[int, Field(ge=1, le=FORMAT)]
    model: ModelConfig


@final
@dataclass(frozen=True)
class Checkpoint:
    """A model with its tokenizer, where it has one, and what is known of its training."""

    model: Decoder
    tokenizer: Tokenizer | None = None
    training: Mapping[str, Any] = field(default_factory=dict)


def save_checkpoint(
    folder: str | Path,
    model: Decoder,
    tokenizer: Tokenizer | None = None,
    training: Mapping[str, Any] | None = None,
) -> Path:
    """Write a checkpoint, replacing an earlier one at the same place, and return the folder.

    `training` is anything that JSON can hold. The tokenizer defaults to the model's own. Folders
    within the folder stay; a folder that holds other files is refused.

    Raises
    ------
    FileExistsError
        The folder holds something other than a checkpoint of this package.
    TypeError
        `training` holds what JSON cannot.
    """
    folder = Path(folder)
    _check_place(folder)
    tokenizer = tokenizer or model.tokenizer
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}")
    try:
        beside.mkdir()
        _write(beside / CONFIG, {"format": FORMAT, "model": model.config.to_dict()})
        _write(beside / TRAINING, dict(training or {}))
        if tokenizer is not None:
            (beside / TOKENIZER).write_text(tokenizer.to_str(pretty=True), encoding="utf-8")
        weights = {name: each.contiguous() for name, each in model.state_dict().items()}
        about = {"format": "pt", CHECKSUM: digest_of(weights)}
        save_file(weights, beside / WEIGHTS, metadata=about)
        _move(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def load_checkpoint(folder: str | Path) -> Checkpoint:
    """Return what a folder holds, the model on the CPU in evaluation mode.

    Raises
    ------
    FileNotFoundError
        The folder, its configuration or its weights are missing.
    ValueError
        A file is damaged or of something else, the configuration describes no model, or the
        weights are not those of the model it describes; the message names file and key.
    """
    folder = Path(folder)
    config = _config(folder)
    check_amount(config, folder / WEIGHTS)
    model = Decoder(config)
    fill(model, folder / WEIGHTS)
    tokenizer = None
    if (folder / TOKENIZER).exists():
        text = _text(folder / TOKENIZER)
        try:
            tokenizer = Tokenizer.from_str(text)
        except Exception as error:  # the library raises bare Exception
            raise ValueError(f"{str(folder / TOKENIZER)!r} is no tokenizer ({error}).") from error
    training = _read(folder / TRAINING) if (folder / TRAINING).exists() else {}
    model.tokenizer = tokenizer
    return Checkpoint(model.eval(), tokenizer, training)


def _config(folder: Path) -> ModelConfig:
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {str(folder)!r}.")
    file = folder / CONFIG
    found = _read(file)
    if not {"format", "model"} <= set(found):
        raise ValueError(
            f"{str(file)!r} is not the configuration of a model of this package: it needs "
            f"'format' {' or '.join(map(str, READABLE))} and 'model', got keys "
            f"{', '.join(sorted(found)) or 'none'}."
        )
    written = found["format"]
    if isinstance(written, int) and written > FORMAT:
        raise ValueError(
            f"{str(file)!r} is of format {written}, and this version reads up to {FORMAT}; "
            f"install a newer version of dva-lens."
        )
    if isinstance(found["model"], dict):
        say_former(ModelConfig, found["model"], f"The model of {str(file)!r}")
    try:
        return CheckpointConfig.from_dict(found).model
    except ValueError as error:
        raise ValueError(f"{str(file)!r} does not describe a model: {error}") from error


def _check_place(folder: Path) -> None:
    if not folder.exists():
        return
    strange = [
        each.name
        for each in folder.iterdir()
        if not each.is_dir() and (each.name not in FILES or not each.is_file())
    ]
    if (folder / CONFIG).is_file() and _read(folder / CONFIG).get("format") not in READABLE:
        strange.append(CONFIG)
    if strange:
        raise FileExistsError(
            f"{str(folder)!r} holds something other than a checkpoint of this package, such as "
            f"{strange[0]!r}; choose another folder."
        )


def _move(beside: Path, folder: Path) -> None:
    """Put finished files in their place; without its configuration a folder is no checkpoint."""
    if not folder.exists():
        beside.replace(folder)
        return
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    for name in reversed(FILES):
        if (beside / name).exists():
            (beside / name).replace(folder / name)


def _write(file: Path, content: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _text(file: Path) -> str:
    try:
        if not file.is_file() and file.exists():
            raise ValueError(f"{str(file)!r} is not a regular file, so it is not read.")
        if file.stat().st_size > LARGEST_TEXT:
            raise ValueError(
                f"{str(file)!r} has {file.stat().st_size:,} bytes, more than the "
                f"{LARGEST_TEXT:,} that a file of a checkpoint may have."
            )
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FileNotFoundError(f"{str(file)!r} is missing; is this a checkpoint?") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{str(file)!r} is not text ({error}).") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(_text(file))
    except json.JSONDecodeError as error:
        raise ValueError(f"{str(file)!r} is not valid JSON ({error}).") from error
    except RecursionError:
        raise ValueError(f"{str(file)!r} is not valid JSON: it is nested too deeply.") from None
    if not isinstance(found, dict):
        raise ValueError(f"{str(file)!r} must hold a JSON object, got {type(found).__name__}.")  # noqa: TRY004
    return found
