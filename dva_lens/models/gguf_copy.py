"""GGUF files as checkpoints of transformers: unpacked once into a cache, in safetensors.

Unpacking takes seconds to minutes and the weights in float32 take more room than the file; the
copy opens at once. Blocks of quantised numbers become the float32 numbers that they stand for,
so nothing is rounded again.
"""

import contextlib
import errno
import hashlib
import io
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import transformers
from filelock import FileLock
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel

from dva_lens.files import CACHE, cache_folder
from dva_lens.models.foreign_files import blaming, check_weights
from dva_lens.models.gguf_header import GGUFHeader, read_header
from dva_lens.validation import shown

FORMAT = 1
PART = ".partial"
SPARE_BYTES = 1 << 24


def copied(file: Path) -> Path:
    """Return the folder that holds a GGUF file as a checkpoint, made now if it is not there.

    The folder is named by the content of the file and the versions of what reads it. It appears
    whole or not at all; of several processes one makes it.

    Raises
    ------
    ImportError
        The package gguf is missing.
    ValueError
        The file is damaged, one of several parts, or of an architecture that transformers does
        not read; or its weights are incomplete or not finite.
    MemoryError
        The unpacked weights do not fit into the memory of this machine.
    OSError
        They do not fit on the disk of the cache, or cannot be written.
    """
    check_package(file)
    header = read_header(file)
    _check_whole(file, header)
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    made_by = f"{FORMAT} {digest} {transformers.__version__} {version('gguf')}"
    place = cache_folder() / "gguf" / hashlib.sha256(made_by.encode()).hexdigest()[:20]
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_suffix(".lock")):
        if not _is_there(place):
            _check_room(file, header, place.parent)
            with _draft(place) as draft:
                _unpack(file, header, digest, draft)
    return place


def check_package(file: Path) -> None:
    """Refuse to open a GGUF file without the package that knows its types of numbers.

    Raises
    ------
    ImportError
        It is not installed.
    """
    if find_spec("gguf") is None:
        raise ImportError(
            f"Opening {str(file)!r} needs the package gguf: pip install 'dva-lens[gguf]'."
        )


def types_of(header: GGUFHeader) -> str:
    """Say in which types a file keeps its tensors, the most frequent first."""
    from gguf import GGMLQuantizationType

    counts = Counter(GGMLQuantizationType(each.kind).name for each in header.tensors)
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def _check_whole(file: Path, header: GGUFHeader) -> None:
    from gguf import GGML_QUANT_SIZES

    parts = header.metadata.get("split.count", 1)
    if parts != 1:
        raise ValueError(
            f"{str(file)!r} is one of {shown(parts)} parts of a model; merge them into one file "
            f"(llama-gguf-split --merge) and pass that."
        )
    size = file.stat().st_size
    for each in header.tensors:
        if each.kind not in GGML_QUANT_SIZES:
            raise ValueError(
                f"Tensor {each.name!r} of {str(file)!r} is of type {each.kind}, which gguf "
                f"{version('gguf')} does not know; upgrade gguf."
            )
        numbers, stored = GGML_QUANT_SIZES[each.kind]  # pyright: ignore[reportArgumentType]
        end = header.data + each.offset + each.count // numbers * stored
        if end > size:
            raise ValueError(
                f"{str(file)!r} is cut short: tensor {each.name!r} ends at byte {end:,}, and the "
                f"file has {size:,}; download it again."
            )


def _is_there(place: Path) -> bool:
    """Say whether a copy is there and whole; one that was damaged since is made anew."""
    if not place.is_dir():
        return False
    try:
        check_weights(place)
    except (FileNotFoundError, ValueError):
        shutil.rmtree(place)
        return False
    return True


def _check_room(file: Path, header: GGUFHeader, cache: Path) -> None:
    needed = header.unpacked_bytes
    held = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > held:
        raise MemoryError(
            f"the weights of {str(file)!r} take {needed / 2**30:.1f} GiB unpacked, and this "
            f"machine has {held / 2**30:.1f} GiB"
        )
    free = shutil.disk_usage(cache).free
    if needed + SPARE_BYTES > free:
        what = (
            f"{needed / 2**30:.1f} GiB are needed for the unpacked weights and "
            f"{free / 2**30:.1f} GiB are free; set {CACHE} to a folder with more room"
        )
        raise OSError(errno.ENOSPC, what, str(cache))


@contextmanager
def _draft(place: Path) -> Iterator[Path]:
    """Return a folder to fill, which takes its place once it is whole; the lock is held."""
    draft = place.with_suffix(PART)
    shutil.rmtree(draft, ignore_errors=True)  # of a process that was killed
    draft.mkdir()
    try:
        yield draft
        draft.replace(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _unpack(file: Path, header: GGUFHeader, digest: str, folder: Path) -> None:
    where: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    parent = file.absolute().parent
    said = (
        f"is a GGUF file of architecture {shown(header.architecture)}, which transformers "
        f"{transformers.__version__} does not read"
    )
    with blaming(file, said):
        config = AutoConfig.from_pretrained(parent, **where)
    kind = _class_of(config, file, said)
    with blaming(file, f"holds weights that do not fit {kind.__name__}"), _without_bars():
        loaded: Any = kind.from_pretrained(
            parent,
            **where,
            config=config,
            dtype=torch.float32,
            quantization_config=transformers.GgufConfig(dequantize=True),
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused here, by name
        )
    model, info = loaded
    _check_filled(model, info, file)
    about = {"sha256": digest, "types": types_of(header), "unread": list(header.unread)}
    model.config.gguf = about
    with _without_bars():
        model.save_pretrained(folder)
    if "tokenizer.ggml.tokens" in header.metadata:
        with blaming(file, "holds a tokenizer that transformers does not read"):
            AutoTokenizer.from_pretrained(parent, **where).save_pretrained(folder)


def _class_of(config: Any, file: Path, said: str) -> type[PreTrainedModel]:
    """Return what a configuration is one of: the class it names, or the one that predicts text."""
    for name in config.architectures or ():
        if hasattr(transformers, name):
            return getattr(transformers, name)
    tables: Any = (
        transformers.MODEL_FOR_CAUSAL_LM_MAPPING,
        transformers.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    )
    for table in tables:
        if type(config) in table:
            return table[type(config)]
    raise ValueError(f"{str(file)!r} {said} as a model of text.")


def _check_filled(model: PreTrainedModel, info: dict[str, Any], file: Path) -> None:
    for key, held, due in sorted(info["mismatched_keys"])[:1]:
        raise ValueError(
            f"{str(file)!r} holds {key!r} in shape {tuple(held)}, and what it says of its model "
            f"makes {tuple(due)}."
        )
    if info["missing_keys"]:
        keys = sorted(info["missing_keys"])
        raise ValueError(
            f"{str(file)!r} lacks {len(keys)} weights of {type(model).__name__}, such as "
            f"{keys[0]!r}; they would have been random."
        )
    for key, weight in model.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise ValueError(f"Weight {key!r} of {str(file)!r} holds NaN or infinity.")


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keep the bars that are drawn while weights unpack to those who sit at a terminal."""
    if sys.stderr.isatty():
        yield
        return
    with contextlib.redirect_stderr(io.StringIO()):
        yield
