"""Loading whatever a model may be called: a checkpoint folder, a name, a module.

Nothing is executed on the way: weights come from safetensors alone, and configurations that need
code of their own are refused. A model is loaded whole or not at all.
"""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
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

from dva_lens.models.checkpoint import load_checkpoint
from dva_lens.models.decoder import Decoder
from dva_lens.models.foreign_files import CONFIG, WANTED, read_config
from dva_lens.models.gguf_header import is_gguf
from dva_lens.models.kinds import is_bridge, is_pretrained
from dva_lens.models.placing import Placement, room_for

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    Model = Decoder | PreTrainedModel | nn.Module
else:
    Model = Decoder | nn.Module


def load(
    what: Any,
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    device_map: str | dict[str, Any] | None = None,
    revision: str | None = None,
    attention: str | None = None,
) -> Model:
    """Return a model, ready to be measured, with its tokenizer as `model.tokenizer`.

    Parameters
    ----------
    what : folder, file, name or model
        A folder that holds a checkpoint of this package or of transformers, a GGUF file, the name
        of a model on the Hugging Face hub (taken from the local cache where it is there), or a
        model that has been loaded already.
    device : str or torch.device, optional
        Where to put it; default: it stays where it is.
    dtype : {"float16", "bfloat16", "float32", "float64"} or torch.dtype, optional
        The numbers to compute with; default: those of the weights (float32 of a GGUF file).
    device_map : str or dict, optional
        How to spread a model of transformers over devices: "auto", "balanced", or a mapping.
    revision : str, optional
        The branch, tag or commit of a model on the hub.
    attention : {"causal", "bidirectional"}, optional
        Have a model of transformers attend to what came before alone, or to both sides; default:
        as it was trained to.

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
        If the weights are pickles, damaged, incomplete, not finite, or of another architecture;
        the device is not there; or an option does not fit the model or the others.
    MemoryError
        If the device has no room, or the unpacked weights of a GGUF file do not fit into memory.

    Examples
    --------
    A folder of this package or of transformers, a GGUF file, and a name of the hub:

    >>> model = load("runs/quick/checkpoints/dva-0")
    >>> type(model).__name__
    'Decoder'
    >>> model = load("SmolLM2-135M-Instruct.Q4_1.gguf")  # doctest: +SKIP
    >>> model = load("gpt2", device="cuda", dtype="bfloat16")  # doctest: +SKIP
    """
    placement = Placement(device, dtype, device_map)
    if isinstance(what, Decoder) or is_pretrained(what) or is_bridge(what):
        _refuse_beside(what, device_map=device_map, revision=revision)
        model = what
    elif isinstance(what, str | Path):
        model = _from_place(what, placement, revision)
    else:
        raise TypeError(
            f"A {type(what).__name__} is not a model that can be loaded; pass a checkpoint "
            f"folder, the name of a Hugging Face model, or a loaded model of transformers."
        )
    placement.put(model)
    if attention is not None:
        from dva_lens.models.seeing import attend

        attend(model, attention)
    return model.eval()


def path_of(what: str | Path, revision: str | None = None) -> Path:
    """Return where the files of a model lie on this disk; nothing is fetched.

    Raises
    ------
    FileNotFoundError
        They are not on this disk.
    ValueError
        It is a file, but no GGUF file, or no possible name of a model.
    """
    path = Path(what).expanduser()
    if is_gguf(path):
        return path
    return _folder_of(what, revision, fetch=False)


def _from_place(what: str | Path, placement: Placement, revision: str | None) -> Model:
    """Open a file, a folder, or what the hub has under a name."""
    path = Path(what).expanduser()
    if revision is not None and path.exists():
        _refuse_beside(what, revision=revision)
    with room_for(f"The model {str(what)!r}", placement.device or "its devices"):
        if is_gguf(path):
            return _from_gguf(path, placement)
        return _from_folder(_folder_of(what, revision), placement)


def _refuse_beside(what: Any, **chosen: Any) -> None:
    """Refuse options that say nothing of what is there already."""
    for name, value in chosen.items():
        if value is not None:
            kind = "is on this disk" if isinstance(what, str | Path) else "is loaded already"
            named = str(what) if isinstance(what, str | Path) else type(what).__name__
            raise ValueError(
                f"{name}={value!r} says how to fetch or open a model, and {named!r} {kind}; leave "
                f"it out."
            )


def _folder_of(what: str | Path, revision: str | None, *, fetch: bool = True) -> Path:
    folder = Path(what).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ValueError(
            f"{str(what)!r} is a file, but no GGUF file; pass the folder of the checkpoint."
        )
    if isinstance(what, Path) or what.startswith((".", "/", "~")) or what.count("/") > 1:
        raise FileNotFoundError(f"There is no folder {str(what)!r} to load a model from.")
    return _fetched(what, revision, fetch=fetch)


def _cached(name: str, chosen: dict[str, Any]) -> Path | None:
    """Return the folder of a named model in the local cache, None where it is not whole there."""
    try:
        found = Path(snapshot_download(name, local_files_only=True, **chosen))
    except LocalEntryNotFoundError:
        return None
    except HFValidationError as error:
        raise ValueError(
            f"{name!r} is neither a folder nor a possible name of a Hugging Face model."
        ) from error
    whole = (found / CONFIG).exists() and any(found.glob("*.safetensors"))
    return found if whole else None


def _fetched(name: str, revision: str | None, *, fetch: bool) -> Path:
    """Return the folder of a named model: from the cache if it is whole there, or the network."""
    chosen: dict[str, Any] = {"allow_patterns": [*WANTED], "revision": revision}
    cached = _cached(name, chosen)
    if cached is not None:
        return cached
    if not fetch:
        raise FileNotFoundError(
            f"The Hugging Face model {name!r} is not in the local cache, so its size is not known "
            f"here; it would be downloaded."
        )
    try:
        return Path(snapshot_download(name, **chosen))
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


def _from_gguf(file: Path, placement: Placement) -> Model:
    from dva_lens.models.gguf_copy import copied

    model: Any = _from_folder(copied(file), placement)
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


def _from_folder(folder: Path, placement: Placement) -> Model:
    config = read_config(folder)
    if "model_type" not in config and "architectures" not in config:
        _refuse_beside(folder, device_map=placement.device_map)
        checkpoint = load_checkpoint(folder)
        own: Any = checkpoint.model
        own.tokenizer, own.name_or_path = checkpoint.tokenizer, folder.resolve().name
        return own
    from dva_lens.models.pretrained import open_pretrained

    return open_pretrained(folder, config, placement)
