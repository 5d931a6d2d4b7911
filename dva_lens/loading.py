"""Loading whatever a model may be called: a checkpoint folder, a name, a module.

Nothing is executed on the way: weights come from safetensors alone, and configurations that need
code of their own are refused. A model is loaded whole or not at all.
"""

import warnings
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    IncompleteSnapshotError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from torch import nn
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
)

from dva_lens.models.bridge import is_bridge
from dva_lens.models.checkpoint import load_checkpoint
from dva_lens.models.decoder import Decoder
from dva_lens.models.foreign_files import (
    CONFIG,
    WANTED,
    blaming,
    check_amount,
    check_regular,
    check_weights,
    read_config,
)
from dva_lens.models.gguf_copy import copied
from dva_lens.models.gguf_header import is_gguf
from dva_lens.validation import shown

Model = Decoder | PreTrainedModel | nn.Module
TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt", "*.model")


def load(what: Any, *, device: str | torch.device | None = None) -> Model:
    """Return a model, ready to be measured, with its tokenizer as `model.tokenizer`.

    Parameters
    ----------
    what : folder, file, name or model
        A folder that holds a checkpoint of this package or of transformers, a GGUF file, the name
        of a model on the Hugging Face hub (taken from the local cache where it is there), or a
        model that has been loaded already.
    device : str or torch.device, optional
        Where to put it; default: it stays where it is.

    Raises
    ------
    ImportError
        If a GGUF file is passed and the package gguf is missing.
    TypeError
        If `what` is neither a folder, nor a file, nor a name, nor a model.
    FileNotFoundError
        If there is no such folder or model, or weights are missing.
    ConnectionError
        If the hub cannot be reached for what is not in the local cache.
    PermissionError
        If access to the model must be asked for.
    ValueError
        If the weights are pickles, damaged, incomplete, not finite, or of another architecture.
    MemoryError
        If the weights of a GGUF file do not fit into memory once they are unpacked.

    Examples
    --------
    A folder of this package or of transformers, a GGUF file, and a name of the hub:

    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> type(model).__name__
    'Decoder'
    >>> model = load("SmolLM2-135M-Instruct.Q4_1.gguf")  # doctest: +SKIP
    >>> model = load("gpt2", device="cuda")  # doctest: +SKIP
    """
    if isinstance(what, Decoder | PreTrainedModel) or is_bridge(what):
        model = what
    elif isinstance(what, str | Path):
        path = Path(what).expanduser()
        model = _from_gguf(path) if is_gguf(path) else _from_folder(_folder_of(what))
    else:
        raise TypeError(
            f"A {type(what).__name__} is not a model that can be loaded; pass a checkpoint "
            f"folder, the name of a Hugging Face model, or a loaded model of transformers."
        )
    if device is not None:
        nn.Module.to(model, device)
    return model.eval()


def _folder_of(what: str | Path) -> Path:
    folder = Path(what).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ValueError(
            f"{str(what)!r} is a file, but no GGUF file; pass the folder of the checkpoint."
        )
    if isinstance(what, Path) or what.startswith((".", "/", "~")) or what.count("/") > 1:
        raise FileNotFoundError(f"There is no folder {str(what)!r} to load a model from.")
    return _fetched(what)


def _fetched(name: str) -> Path:
    """Return the folder of a named model: from the cache if it is whole there, or the network."""
    try:
        cached = Path(snapshot_download(name, allow_patterns=[*WANTED], local_files_only=True))
        if (cached / CONFIG).exists() and any(cached.glob("*.safetensors")):
            return cached
    except LocalEntryNotFoundError:
        pass
    except HFValidationError as error:
        raise ValueError(
            f"{name!r} is neither a folder nor a possible name of a Hugging Face model."
        ) from error
    try:
        return Path(snapshot_download(name, allow_patterns=[*WANTED]))
    except GatedRepoError as error:
        raise PermissionError(
            f"The Hugging Face model {name!r} is gated; ask for access on its page and log in."
        ) from error
    except RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"There is no folder and no public Hugging Face model called {name!r}."
        ) from error
    except IncompleteSnapshotError as error:
        raise ConnectionError(
            f"{name!r} is only partly in the local cache, and the Hugging Face hub cannot be "
            f"reached to download the rest."
        ) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
        raise ConnectionError(
            f"{name!r} is not a folder, it is not in the local cache, and the Hugging Face hub "
            f"cannot be reached; download it where there is a network and pass the folder."
        ) from error


def _from_gguf(file: Path) -> Model:
    model: Any = _from_folder(copied(file))
    model.config._name_or_path = model.name_or_path = file.stem
    unread = model.config.gguf["unread"]
    if unread:
        warnings.warn(
            f"{str(file)!r} scales how positions are rotated ({', '.join(unread)}), and "
            f"transformers reads GGUF files without that: what is measured is the model without "
            f"it. Load the original weights instead.",
            UserWarning,
            stacklevel=3,
        )
    return model


def _from_folder(folder: Path) -> Model:
    config = read_config(folder)
    if "model_type" not in config and "architectures" not in config:
        checkpoint = load_checkpoint(folder)
        own: Any = checkpoint.model
        own.tokenizer, own.name_or_path = checkpoint.tokenizer, folder.resolve().name
        return own
    check_regular(folder)
    check_weights(folder)
    architecture, described = _architecture(folder, config.get("model_type"))
    check_amount(folder, architecture, described)
    model = _whole(folder, architecture)
    model.tokenizer = _tokenizer(folder)
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


def _whole(folder: Path, architecture: type[PreTrainedModel]) -> PreTrainedModel:
    with blaming(folder, f"holds weights that do not fit {architecture.__name__}"):
        loaded: Any = architecture.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused here, by name
        )
    model, info = loaded
    for key, held, due in sorted(info["mismatched_keys"])[:1]:
        raise ValueError(
            f"{str(folder)!r} holds weights that do not fit {architecture.__name__}: {key!r} must "
            f"have shape {tuple(due)}, got {tuple(held)}."
        )
    if info["missing_keys"]:
        keys = sorted(info["missing_keys"])
        raise ValueError(
            f"{str(folder)!r} lacks {len(keys)} weights of {architecture.__name__}, such as "
            f"{keys[0]!r}; they would have been random."
        )
    for key, weight in model.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise ValueError(f"Weight {key!r} of {str(folder)!r} holds NaN or infinity.")
    return model


def _tokenizer(folder: Path) -> Any:
    """Return the tokenizer beside the weights, or None where there is none."""
    files = sorted(file.name for pattern in TOKENIZERS for file in folder.glob(pattern))
    if not files:
        return None
    with blaming(folder, f"holds a tokenizer ({', '.join(files)}) that cannot be read"):
        found = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        found("a b")  # some of what is wrong shows when it is used
    return found
