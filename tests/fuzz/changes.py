"""Ways to spoil a file; each changes it and returns what may be named as the culprit."""

import gzip
import json
import lzma
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import torch
import yaml
from safetensors.torch import load_file, save_file

Change = Callable[[Path, Random], tuple[str, ...]]
Culprits = tuple[str, ...]

WRONG: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 3, 2.5, 1e9, 10**8, 10**30, -(10**30), float("inf"), float("nan"),
    "", "no", "yes", "3", "auto", "x" * 3000, "ünï", "a\nb", "../..", "/dev/zero", "\u202e",
    [], {}, [1, 2], ["a"], [None], [[]], {"a": 1}, {"kind": "none"}, {"kind": 3}, [0, 0],
)  # fmt: skip
ENDINGS = {".yaml": yaml.safe_dump, ".json": json.dumps}


def write(file: Path, content: bytes | str) -> None:
    """Put a file in the place of another; the other may be a link to what others use too."""
    file.unlink(missing_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def read(file: Path) -> Any:
    """Return what a file of JSON or YAML holds."""
    text = file.read_text(encoding="utf-8")
    return json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)


def places(held: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values within a value."""
    pairs = held.items() if isinstance(held, dict) else enumerate(held)
    found = []
    for name, value in pairs:
        found.append((*path, name))
        if isinstance(value, (dict, list)) and len(found) < 400:
            found += places(value, (*path, name))
    return found


def named(file: Path, path: tuple[Any, ...]) -> Culprits:
    """Return the words that point at a value in a file."""
    return (file.name, *(name for name in path if isinstance(name, str) and len(name) > 2))


def _holder(held: Any, path: tuple[Any, ...]) -> Any:
    for name in path[:-1]:
        held = held[name]
    return held


def value_changed(name: str) -> Change:
    """Put something wrong where a value stands."""

    def change(place: Path, draw: Random) -> Culprits:
        file = place / name
        held = read(file)
        path = draw.choice(places(held))
        _holder(held, path)[path[-1]] = draw.choice(WRONG)
        write(file, ENDINGS[file.suffix](held))
        return named(file, path)

    return change


def key_removed(name: str) -> Change:
    """Take a key or an entry out."""

    def change(place: Path, draw: Random) -> Culprits:
        file = place / name
        held = read(file)
        path = draw.choice(places(held))
        del _holder(held, path)[path[-1]]
        write(file, ENDINGS[file.suffix](held))
        return named(file, path)

    return change


def key_misspelt(name: str) -> Change:
    """Leave a letter out of a key."""

    def change(place: Path, draw: Random) -> Culprits:
        file = place / name
        held = read(file)
        path = draw.choice([path for path in places(held) if isinstance(path[-1], str)])
        holder = _holder(held, path)
        word = path[-1][1:] or "x"
        holder[word] = holder.pop(path[-1])
        write(file, ENDINGS[file.suffix](held))
        return (*named(file, path), word)

    return change


def key_twice(name: str) -> Change:
    """Let a key stand twice."""

    def change(place: Path, draw: Random) -> Culprits:
        file = place / name
        held = read(file)
        key = draw.choice(list(held))
        text = json.dumps(held)
        write(file, f'{{"{key}": 1, {text[1:]}')
        return (file.name, key)

    return change


def text_of(name: str, *contents: bytes | str) -> Change:
    """Put other text in the place of a file."""

    def change(place: Path, draw: Random) -> Culprits:
        write(place / name, draw.choice(contents))
        return (Path(name).name,)

    return change


def cut(name: str) -> Change:
    """Let a file end too soon."""

    def change(place: Path, draw: Random) -> Culprits:
        file = place / name
        content = file.read_bytes()
        left = content[: draw.randrange(len(content))]
        write(file, left)
        last = left.split()[-1:] if file.suffix in ENDINGS else []
        return (file.name, *(repr(word.decode(errors="replace")) for word in last))

    return change


def bytes_changed(name: str, most: int = 20) -> Change:
    """Change some bytes of a file."""

    def change(place: Path, draw: Random) -> Culprits:
        file = place / name
        content = bytearray(file.read_bytes())
        for _ in range(draw.randint(1, most)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        write(file, bytes(content))
        return (file.name,)

    return change


def replaced(name: str) -> Change:
    """Put something that is no regular file in the place of one, or nothing."""

    def change(place: Path, draw: Random) -> Culprits:
        file = place / name
        file.unlink()
        kind = draw.choice(("nothing", "folder", "pipe", "zero", "dangling", "socket", "loop"))
        if kind == "folder":
            file.mkdir()
        elif kind == "pipe":
            os.mkfifo(file)
        elif kind == "zero":
            file.symlink_to("/dev/zero")
        elif kind == "dangling":
            file.symlink_to("nowhere")
        elif kind == "loop":
            file.symlink_to(file.name)
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(os.path.relpath(file))
        return (file.name, str(file.parent.name))

    return change


DEEP = ('{"a": ' * 3000 + "1" + "}" * 3000, "[" * 200_000, '{"model": ' + "[" * 3000)
NO_MAPPING = ("[]", "3", '"words"', "null", "", "true", "[[[]]]", " \n")
NO_TEXT = (b"\xff\xfe\x00", b"\x00" * 64, b"\x80\x04\x95.", "{}".encode("utf-16"), b"{\xf0\x28}")


def weights(name: str, spoil: Callable[[dict[str, torch.Tensor], str], object]) -> Change:
    """Spoil the tensors of a file of safetensors; one of them is the culprit."""

    def change(place: Path, draw: Random) -> Culprits:
        file = place / name
        held = load_file(file)
        chosen = draw.choice(sorted(held))
        spoil(held, chosen)
        file.unlink()
        save_file({key: each.contiguous() for key, each in held.items()}, file, {"format": "pt"})
        return (file.name, chosen)

    return change


def header(name: str) -> Change:
    """Spoil the header of a file of safetensors."""

    def change(place: Path, draw: Random) -> Culprits:
        file = place / name
        content = file.read_bytes()
        (size,) = struct.unpack("<Q", content[:8])
        held = json.loads(content[8 : 8 + size])
        key = draw.choice([each for each in held if each != "__metadata__"])
        how = draw.choice(("length", "offsets", "dtype", "shape", "none", "metadata", "deep"))
        if how == "length":
            write(
                file, struct.pack("<Q", draw.choice((0, 1, 1 << 40, (1 << 64) - 1))) + content[8:]
            )
            return (file.name, key)
        held[key] |= {
            "offsets": {"data_offsets": draw.choice(([0, 1 << 40], [-1, 4], [8, 4], []))},
            "dtype": {"dtype": draw.choice(("F8_E4M3", "I64", "BOOL", "X", 3))},
            "shape": {"shape": draw.choice(([1 << 40], [-1], [], "x"))},
        }.get(how, {})
        if how == "metadata":
            held["__metadata__"] = draw.choice(({"sha256": "0" * 64}, {"format": "tf"}, 3, []))
        text = "[" * 5000 if how == "deep" else "{}" if how == "none" else json.dumps(held)
        head = text.encode()
        write(file, struct.pack("<Q", len(head)) + head + content[8 + size :])
        return (file.name, key)

    return change


def _nan(held: dict[str, torch.Tensor], key: str) -> None:
    held[key].view(-1)[0] = torch.nan


WEIGHTS: dict[str, Callable[[dict[str, torch.Tensor], str], object]] = {
    "is missing": lambda held, key: held.pop(key),
    "is unknown": lambda held, key: held.update({f"{key}.more": held[key].clone()}),
    "has another name": lambda held, key: held.update({f"x.{key}": held.pop(key)}),
    "has another shape": lambda held, key: held.update({key: torch.ones(3, 5)}),
    "is empty": lambda held, key: held.update({key: torch.ones(0)}),
    "holds NaN": _nan,
    "holds infinity": lambda held, key: held[key].fill_(torch.inf),
    "is of bytes": lambda held, key: held.update({key: held[key].to(torch.int8)}),
    "is of float8": lambda held, key: held.update({key: held[key].to(torch.float8_e4m3fn)}),
    "is complex": lambda held, key: held.update({key: held[key].to(torch.complex64)}),
    "is in another precision": lambda held, key: held.update({key: held[key].half()}),
}


def text_file(name: str, make: Callable[[Random], bytes]) -> Change:
    """Put other bytes in the place of the text under another name, which the command reads."""

    def change(place: Path, draw: Random) -> Culprits:
        write(place / name, make(draw))
        return (name,)

    return change


TEXTS: dict[str, tuple[str, Callable[[Random], bytes]]] = {
    "is empty": ("text.txt", lambda _: b""),
    "is blank": ("text.txt", lambda _: b" \n\t\n" * 50),
    "is one word": ("text.txt", lambda _: b"a"),
    "is of random bytes": ("text.txt", lambda draw: draw.randbytes(3000)),
    "holds NUL": ("text.txt", lambda draw: b"a b c " * draw.randrange(30) + b"\0" + b"d e f" * 9),
    "is UTF-16": ("text.txt", lambda _: ("a b c " * 40).encode("utf-16")),
    "is Latin-1": ("text.txt", lambda _: "ä ö ü ".encode("latin-1") * 40),
    "is cut in a character": ("text.txt", lambda _: "ä ö ü ".encode() * 40 + b"\xc3"),
    "is one long line": ("text.txt", lambda _: b"a" * 3_000_000),
    "is only separators": ("text.txt", lambda _: b"<|endoftext|>\n" * 100),
    "holds carriage returns": ("text.txt", lambda _: b"a b c\r\nd e f\r" * 20),
    "holds odd characters": ("text.txt", lambda _: "\u202e\ufeff\u0000\ud7ff \U0010ffff".encode()),
    "is no gzip": ("text.txt.gz", lambda _: b"a b c d"),
    "is half a gzip": ("text.txt.gz", lambda _: gzip.compress(b"a b c " * 400)[:-12]),
    "is a gzip of zeros": ("text.txt.gz", lambda _: gzip.compress(bytes(20_000_000))),
    "is half an xz": ("text.txt.xz", lambda _: lzma.compress(b"a b c " * 400)[:-12]),
    "is no xz": ("text.txt.xz", lambda draw: draw.randbytes(200)),
}
