"""The weights of a checkpoint: read from safetensors, and checked by name before they are used."""

import hashlib
from collections.abc import Mapping
from math import prod
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from dva_lens.models.config import ModelConfig
from dva_lens.models.costs import parameters
from dva_lens.models.decoder import Decoder

CHECKSUM = "sha256"
"""The key of the metadata of a safetensors file under which the hash of its tensors stands."""
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def digest_of(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return a hash of tensors: their names, dtypes, shapes and bytes."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def check_digest(
    tensors: Mapping[str, torch.Tensor], about: Mapping[str, str] | None, file: Path
) -> None:
    """Refuse tensors that are not those that were written, where the file says which were.

    Raises
    ------
    ValueError
        They are not: the file was damaged after it was written.
    """
    due = (about or {}).get(CHECKSUM)
    if due is not None and digest_of(tensors) != due:
        raise ValueError(
            f"{str(file)!r} does not hold what was written into it (its checksum differs), so it "
            f"was damaged since; take it from a copy, or make it anew."
        )


def check_amount(config: ModelConfig, file: Path) -> None:
    """Refuse a model that the weights of a file cannot fill, before memory is taken for it.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is no regular file or no safetensors, or holds fewer than half of the numbers
        that the configuration describes.
    """
    if not file.exists():
        raise FileNotFoundError(f"{str(file)!r} is missing, so there are no weights to load.")
    if not file.is_file():
        raise ValueError(f"{str(file)!r} is not a regular file, so it is not read.")
    try:
        with safe_open(file, framework="pt") as stored:
            held = sum(prod(stored.get_slice(name).get_shape()) for name in stored.keys())  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{str(file)!r} {_what_is_wrong(file)} ({error}).") from error
    described = parameters(config)
    if described > 2 * held:
        raise ValueError(
            f"{str(file)!r} holds {held:,} numbers, and the configuration describes a model of "
            f"{described:,}; they do not belong together."
        )


def fill(model: Decoder, file: Path) -> None:
    """Put the weights of a file into a model after everything about them has been checked.

    Raises
    ------
    ValueError
        The file is damaged, lacks a weight or holds an unknown one, or a weight has another
        shape, is not of a floating dtype of two bytes or more, or holds NaN or infinity.
    """
    wanted = model.state_dict()
    try:
        with safe_open(file, framework="pt") as stored:
            _check_names(set(stored.keys()), set(wanted), file)
            found = {name: stored.get_tensor(name) for name in wanted}
            about = stored.metadata()
    except SafetensorError as error:
        raise ValueError(f"{str(file)!r} {_what_is_wrong(file)} ({error}).") from error
    check_digest(found, about, file)
    dtypes = {each.dtype for each in found.values()}
    if len(dtypes) > 1:
        raise ValueError(f"{str(file)!r} mixes dtypes: {', '.join(sorted(map(str, dtypes)))}.")
    for name, each in found.items():
        _check_weight(name, each, wanted[name], file)
    model.to(dtypes.pop())
    model.load_state_dict(found)


def _check_names(found: set[str], wanted: set[str], file: Path) -> None:
    for what, names in (("lacks", wanted - found), ("holds unknown", found - wanted)):
        if names:
            raise ValueError(
                f"{str(file)!r} {what} {len(names)} of the weights that the configuration "
                f"describes, such as {sorted(names)[0]!r}."
            )


def _check_weight(name: str, found: torch.Tensor, wanted: torch.Tensor, file: Path) -> None:
    if found.shape != wanted.shape:
        raise ValueError(
            f"Weight {name!r} of {str(file)!r} must have shape {tuple(wanted.shape)}, got "
            f"{tuple(found.shape)}."
        )
    if found.dtype not in DTYPES:
        raise ValueError(
            f"Weight {name!r} of {str(file)!r} must be of dtype "
            f"{', '.join(str(each).removeprefix('torch.') for each in DTYPES)}, got {found.dtype}."
        )
    if not bool(torch.isfinite(found).all()):
        raise ValueError(f"Weight {name!r} of {str(file)!r} holds NaN or infinity.")


def _what_is_wrong(file: Path) -> str:
    with file.open("rb") as opened:
        start = opened.read(2)
    if start[:1] == b"\x80" or start == b"PK":
        return "is a pickle, which could run code; only safetensors are read"
    return "is damaged or cut short"
