"""Loading whatever a model may be called: a checkpoint folder, a name, a module.

Nothing is executed on the way: weights come from safetensors alone, and configurations that need
code of their own are refused. A model is loaded whole or not at all.
"""

import json
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
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedModel

from dva_lens.models.bridge import is_bridge
from dva_lens.models.checkpoint import load_checkpoint
from dva_lens.models.decoder import Decoder

Model = Decoder | PreTrainedModel | nn.Module
CONFIG, WEIGHTS = "config.json", "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt", "*.model")
WANTED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]


def load(what: Any, *, device: str | torch.device | None = None) -> Model:
    """Return a model, ready to be measured, with its tokenizer as `model.tokenizer`.

    Parameters
    ----------
    what : folder, name or model
        A folder that holds a checkpoint of this package or of transformers, the name of a model
        on the Hugging Face hub (taken from the local cache where it is there), or a model that
        has been loaded already.
    device : str or torch.device, optional
        Where to put it; default: it stays where it is.

    Raises
    ------
    TypeError
        If `what` is neither a folder, nor a name, nor a model.
    FileNotFoundError
        If there is no such folder or model, or weights are missing.
    ConnectionError
        If the hub cannot be reached for what is not in the local cache.
    PermissionError
        If access to the model must be asked for.
    ValueError
        If the weights are pickles, damaged, incomplete, not finite, or of another architecture.

    Examples
    --------
    A folder of this package or of transformers, and a name of the hub:

    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> type(model).__name__
    'Decoder'
    >>> model = load("gpt2", device="cuda")  # doctest: +SKIP
    """
    if isinstance(what, Decoder | PreTrainedModel) or is_bridge(what):
        model = what
    elif isinstance(what, str | Path):
        model = _from_folder(_folder_of(what))
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
        raise ValueError(f"{str(what)!r} is a file; pass the folder of the checkpoint instead.")
    if isinstance(what, Path) or what.startswith((".", "/", "~")) or what.count("/") > 1:
        raise FileNotFoundError(f"There is no folder {str(what)!r} to load a model from.")
    return _fetched(what)


def _fetched(name: str) -> Path:
    """Return the folder of a named model: from the cache if it is whole there, or the network."""
    try:
        cached = Path(snapshot_download(name, allow_patterns=WANTED, local_files_only=True))
        if (cached / CONFIG).exists() and any(cached.glob("*.safetensors")):
            return cached
    except LocalEntryNotFoundError:
        pass
    except HFValidationError as error:
        raise ValueError(
            f"{name!r} is neither a folder nor a possible name of a Hugging Face model."
        ) from error
    try:
        return Path(snapshot_download(name, allow_patterns=WANTED))
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


def _from_folder(folder: Path) -> Model:
    config = _config(folder)
    if "model_type" not in config and "architectures" not in config:
        checkpoint = load_checkpoint(folder)
        own: Any = checkpoint.model
        own.tokenizer, own.name_or_path = checkpoint.tokenizer, folder.resolve().name
        return own
    _check_weights(folder)
    model = _whole(folder, _architecture(folder))
    model.tokenizer = _tokenizer(folder)
    return model


def _config(folder: Path) -> dict[str, Any]:
    file = folder / CONFIG
    if not file.exists():
        raise FileNotFoundError(
            f"{str(folder)!r} holds no {CONFIG}, so it is not a checkpoint of a model."
        )
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{str(file)!r} is not valid JSON ({error}).") from error
    if not isinstance(found, dict):
        raise ValueError(f"{str(file)!r} must hold a JSON object.")  # noqa: TRY004
    return found


def _weight_files(folder: Path) -> set[str]:
    """Return the names of the files that hold the weights, all of them inside the folder."""
    index = folder / INDEX
    if not index.exists():
        return {WEIGHTS}
    try:
        names = {str(name) for name in json.loads(index.read_text("utf-8"))["weight_map"].values()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
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


def _check_weights(folder: Path) -> None:
    """Refuse weights that are pickles, that are not all there, or that end too soon."""
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
        try:
            with safe_open(folder / name, framework="pt"):
                pass
        except SafetensorError as error:
            raise ValueError(
                f"{str(folder / name)!r} is damaged or only half downloaded ({error}); download "
                f"it again."
            ) from error


def _architecture(folder: Path) -> type[PreTrainedModel]:
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (ValueError, KeyError) as error:
        kind = _config(folder).get("model_type")
        raise ValueError(
            f"{str(folder)!r} is of type {kind!r}, which this version of transformers does not "
            f"know, or which needs code of its own; code is not run from checkpoints."
        ) from error
    return _class_of(config, folder)


def _class_of(config: PreTrainedConfig, folder: Path) -> type[PreTrainedModel]:
    names = config.architectures or []
    for name in names:
        found = getattr(transformers, name, None)
        if isinstance(found, type) and issubclass(found, PreTrainedModel):
            return found
    raise ValueError(
        f"The configuration of {str(folder)!r} names {', '.join(names) or 'no architecture'}, "
        f"and transformers has no such model."
    )


def _whole(folder: Path, architecture: type[PreTrainedModel]) -> PreTrainedModel:
    try:
        loaded: Any = architecture.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"The weights of {str(folder)!r} do not fit {architecture.__name__}: {reason}"
        ) from error
    model, info = loaded
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
    if not any(True for pattern in TOKENIZERS for _ in folder.glob(pattern)):
        return None
    try:
        return AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"The tokenizer in {str(folder)!r} cannot be read: {reason}") from error
