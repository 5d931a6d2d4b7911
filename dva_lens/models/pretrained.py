"""Opening a folder as transformers writes it: weights in safetensors, all of them, and no code."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import logging

from dva_lens.models.foreign_files import (
    CONFIG,
    INDEX,
    WEIGHTS,
    blaming,
    check_amount,
    check_regular,
    check_weights,
)
from dva_lens.models.placing import Placement
from dva_lens.validation import shown

TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt", "*.model")


def open_pretrained(folder: Path, config: dict[str, Any], placement: Placement) -> PreTrainedModel:
    """Return the model of a folder, with its tokenizer as `model.tokenizer`.

    `config` is what `config.json` holds.

    Raises
    ------
    FileNotFoundError
        Weights are missing.
    ValueError
        The architecture is unknown or needs code of its own; or the weights are pickles, damaged,
        incomplete, not finite, or of another architecture.
    """
    check_regular(folder)
    check_weights(folder)
    architecture, described = _architecture(folder, config.get("model_type"))
    check_amount(folder, architecture, described)
    model: Any = _whole(folder, architecture, placement)
    model.tokenizer = tokenizer_of(folder)
    return model


def _architecture(folder: Path, kind: Any) -> tuple[type[PreTrainedModel], PreTrainedConfig]:
    if kind is not None and not (isinstance(kind, str) and kind in CONFIG_MAPPING):
        raise ValueError(
            f"{str(folder / CONFIG)!r} says that the model is of type {shown(kind)}, which this "
            f"version of transformers does not know, or which needs code of its own; code is not "
            f"run from checkpoints."
        )
    with blaming(folder / CONFIG, f"is no configuration of a model of type {kind!r}"):
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return _class_of(config, folder), config


def _class_of(config: PreTrainedConfig, folder: Path) -> type[PreTrainedModel]:
    names: Any = config.architectures
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        names = []
    for name in names:
        found = getattr(transformers, name, None)
        if isinstance(found, type) and issubclass(found, PreTrainedModel):
            return found
    raise ValueError(
        f"The configuration of {str(folder)!r} ({CONFIG}) names "
        f"{shown(', '.join(names)) if names else 'no architecture'}, and transformers has no such "
        f"model."
    )


def _whole(
    folder: Path, architecture: type[PreTrainedModel], placement: Placement
) -> PreTrainedModel:
    said = f"holds weights that do not fit {architecture.__name__}"
    with blaming(folder, said), _without_reports():
        loaded: Any = architecture.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused here, by name
            **placement.options,
        )
    model, info = loaded
    for key, held, due in sorted(info["mismatched_keys"])[:1]:
        raise ValueError(
            f"{str(folder)!r} {said}: by its {CONFIG}, {key!r} must have shape {tuple(due)}, got "
            f"{tuple(held)}."
        )
    if info["missing_keys"]:
        keys = sorted(info["missing_keys"])
        raise ValueError(
            f"{str(folder)!r} ({_weight_file(folder)}) lacks {len(keys)} weights of "
            f"{architecture.__name__}, such as {keys[0]!r}; they would have been random."
        )
    for key, weight in model.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise ValueError(f"Weight {key!r} of {str(folder)!r} holds NaN or infinity.")
    return model


def _weight_file(folder: Path) -> str:
    return WEIGHTS if (folder / WEIGHTS).exists() else INDEX


@contextmanager
def _without_reports() -> Iterator[None]:
    """Keep the library from printing what of the weights does not fit: it is said here."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def tokenizer_of(folder: Path) -> Any:
    """Return the tokenizer beside the weights, or None where there is none.

    Raises
    ------
    ValueError
        It cannot be read.
    """
    files = sorted(file.name for pattern in TOKENIZERS for file in folder.glob(pattern))
    if not files:
        return None
    with blaming(folder, f"holds a tokenizer ({', '.join(files)}) that cannot be read"):
        found = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        found("a b")  # some of what is wrong shows when it is used
    return found
