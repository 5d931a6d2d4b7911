"""The header of a GGUF file: what it says of its model, and which tensors it holds where.

It is read here, before any library opens the file, so that a file that is cut short or no GGUF
file at all is named as that, and no number in it makes anybody take memory.

Source: the GGUF specification of ggml, versions 2 and 3, little-endian.
"""

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, final

MAGIC = b"GGUF"
VERSIONS = (2, 3)
ALIGNMENT = 32
STRING, ARRAY = 8, 9
NUMBERS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q",
    12: "<d",
}  # fmt: skip
MOST_DIMENSIONS = 8
FLOAT32_BYTES = 4
SCALING = ".rope.scaling."
FACTORS = "rope_freqs.weight"
READ_SCALING = ("gpt-oss", "gpt_oss")


@final
@dataclass(frozen=True)
class GGUFTensor:
    """One tensor of a file: its name, shape, type of numbers, and place after the header."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


@final
@dataclass(frozen=True)
class GGUFHeader:
    """What a GGUF file says of itself; of an array `metadata` holds the length alone."""

    metadata: Mapping[str, Any]
    tensors: tuple[GGUFTensor, ...]
    data: int

    @property
    def architecture(self) -> str:
        """The architecture in the words of llama.cpp, such as "llama"."""
        return str(self.metadata["general.architecture"])

    @property
    def unpacked_bytes(self) -> int:
        """How many bytes the weights take in float32."""
        return FLOAT32_BYTES * sum(each.count for each in self.tensors)

    @property
    def unread(self) -> tuple[str, ...]:
        """What the file says of how positions are rotated, which transformers leaves unread."""
        factors = tuple(each.name for each in self.tensors if each.name == FACTORS)
        scaling = tuple(key for key in self.metadata if SCALING in key)
        kind = self.metadata.get(f"{self.architecture}{SCALING}type")
        if kind == "none" or self.architecture in READ_SCALING:
            scaling = ()
        return scaling + factors


def is_gguf(path: Path) -> bool:
    """Say whether a regular file is a GGUF file, by its name or by its first bytes."""
    if not path.is_file():
        return False
    if path.suffix.lower() == ".gguf":
        return True
    with path.open("rb") as opened:
        return opened.read(len(MAGIC)) == MAGIC


def read_header(path: Path) -> GGUFHeader:
    """Return the header of a GGUF file.

    Raises
    ------
    ValueError
        The file is none, is of a version that is not read, names no architecture, or its header
        is damaged or cut short.
    """
    if path.stat().st_size < len(MAGIC) + 20:
        raise ValueError(f"{str(path)!r} is no GGUF file, or it ends within its first 24 bytes.")
    with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as held:
        try:
            return _header(_Bytes(held), path)
        except (EOFError, UnicodeDecodeError) as error:
            raise ValueError(
                f"{str(path)!r} has a damaged header ({error}); download it again."
            ) from error


@final
class _Bytes:
    """Bytes that are read one value after another, never past their end."""

    def __init__(self, held: mmap.mmap) -> None:
        self.held, self.at = held, 0

    def read(self, count: int) -> bytes:
        start, self.at = self.at, self.at + count
        if count < 0 or self.at > len(self.held):
            raise EOFError(f"{count:,} bytes from byte {start:,} on are not there")
        return self.held[start : self.at]

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.read(struct.calcsize(form)))[0]

    def text(self) -> str:
        return self.read(self.number("<Q")).decode("utf-8")

    def value(self, kind: int) -> Any:
        """Return a value of metadata; an array is passed over and its length returned."""
        if kind == STRING:
            return self.text()
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind != ARRAY:
            raise EOFError(f"byte {self.at:,} stands for a value of unknown type {kind}")
        inner, count = self.number("<I"), self.number("<Q")
        if inner in NUMBERS:
            self.read(count * struct.calcsize(NUMBERS[inner]))
        elif inner == STRING:
            for _ in range(self.bounded(count, 8)):
                self.read(self.number("<Q"))
        else:
            raise EOFError(f"byte {self.at:,} stands for an array of unknown type {inner}")
        return count

    def bounded(self, count: int, least: int) -> int:
        """Return a number of things that take so many bytes each, if these can be there."""
        if count * least > len(self.held) - self.at:
            raise EOFError(f"{count:,} values from byte {self.at:,} on are not there")
        return count


def _header(held: _Bytes, path: Path) -> GGUFHeader:
    if held.read(len(MAGIC)) != MAGIC:
        raise ValueError(f"{str(path)!r} does not begin with {MAGIC.decode()}, so it is none.")
    version = held.number("<I")
    if version not in VERSIONS:
        raise ValueError(
            f"{str(path)!r} is of GGUF version {version}; versions "
            f"{' and '.join(map(str, VERSIONS))} in little-endian order are read."
        )
    tensors, pairs = held.number("<Q"), held.number("<Q")
    metadata = {held.text(): held.value(held.number("<I")) for _ in range(held.bounded(pairs, 13))}
    if not str(metadata.get("general.architecture", "")):
        raise ValueError(f"{str(path)!r} names no general.architecture, so no model is known.")
    listed = tuple(_tensor(held) for _ in range(held.bounded(tensors, 24)))
    step = metadata.get("general.alignment", ALIGNMENT)
    if not isinstance(step, int) or step < 1:
        raise ValueError(f"{str(path)!r} must have a general.alignment above 0, got {step!r}.")
    return GGUFHeader(metadata, listed, -(-held.at // step) * step)


def _tensor(held: _Bytes) -> GGUFTensor:
    name, dimensions = held.text(), held.number("<I")
    if dimensions > MOST_DIMENSIONS:
        raise EOFError(f"tensor {name!r} has {dimensions:,} dimensions")
    shape = tuple(held.number("<Q") for _ in range(dimensions))
    kind, offset = held.number("<I"), held.number("<Q")
    return GGUFTensor(name, shape[::-1], kind, offset)
