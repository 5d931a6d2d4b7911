"""The table of mutations: what is changed, which command meets it, and whether it must refuse."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from changes import (
    DEEP,
    NO_MAPPING,
    NO_TEXT,
    TEXTS,
    WEIGHTS,
    Change,
    bytes_changed,
    cut,
    header,
    key_misspelt,
    key_removed,
    key_twice,
    replaced,
    text_file,
    text_of,
    value_changed,
    weights,
)
from lines import LINES, OPTIONS, OUTPUTS
from places import (
    BODIES,
    NAMES,
    PATHS,
    anywhere,
    call_changed,
    called,
    gone,
    half,
    metadata,
    no_attribute,
    noise,
    pipe,
    within_notes,
    wrong_attribute,
    wrong_value,
)
from subjects import COMMANDS


class Mutation(NamedTuple):
    """A way to spoil something; `change` returns the words of which an answer must hold one.

    `refused` says whether the command must refuse, may not, or (None) may do either: what was
    changed need not matter. A command of several is drawn. `earlier` has it write into the folder
    of an archive, whose runs must stay as they are.
    """

    name: str
    commands: tuple[Any, ...]
    change: Change
    refused: bool | None = None
    earlier: bool = False


def _nothing(*culprits: str) -> Change:
    return lambda place, draw: culprits


def _files(subject: str, *names: str, refused: bool | None = None) -> list[Mutation]:
    """Return what may happen to any file."""
    command = (COMMANDS[subject.partition("/")[0].removesuffix(".yaml")],)
    found: list[Mutation] = []
    for name in names:
        found += [
            Mutation(f"{name} ends too soon", command, cut(name)),
            Mutation(f"{name} has other bytes", command, bytes_changed(name)),
            Mutation(f"{name} is no regular file", command, replaced(name), refused),
            Mutation(f"{name} is empty", command, text_of(name, b""), refused),
            Mutation(f"{name} is noise", command, text_of(name, *NO_TEXT), refused),
        ]
    return found


def _mappings(subject: str, *names: str) -> list[Mutation]:
    """Return what may happen to a mapping of keys to values."""
    command = (COMMANDS[subject],)
    found: list[Mutation] = []
    for name in names:
        found += [
            *(Mutation(f"{name} has a wrong value", command, value_changed(name)),) * 6,
            *(Mutation(f"{name} lacks a key", command, key_removed(name)),) * 2,
            Mutation(f"{name} has a misspelt key", command, key_misspelt(name)),
            Mutation(f"{name} has a key twice", command, key_twice(name)),
            Mutation(f"{name} is nested deeply", command, text_of(name, *DEEP), True),
            Mutation(f"{name} is no mapping", command, text_of(name, *NO_MAPPING)),
        ]
    return found


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{now}: &{now} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, now in zip("abcdefgh", "bcdefghi", strict=True)
)
YAML = (BOMB, "a: &a [*a]", "a: 1\na: 2", "- 1", "a: [", "a: !!python/object/apply:os.system [ls]",
        "\t a: 1", "a: 1\n---\nb: 2", "? [a]\n: 1", "name: no", "%YAML 9.9\n---\na: 1",
        "a: 1:30:59", "a: 0x1f", "<<: *x", "a: " + "9" * 5000, "x" * (2 << 20))  # fmt: skip


def _weights(subject: str, *, kinds: tuple[str, ...] = tuple(WEIGHTS)) -> list[Mutation]:
    name = f"{subject}/model.safetensors"
    either = ("is in another precision", "is unknown", "is of bytes", "is of float8", "is complex")
    return [
        Mutation(f"{name} has an odd header", (COMMANDS[subject],), header(name)),
        Mutation(f"{name} has an odd header", (COMMANDS[subject],), header(name)),
        *(
            Mutation(
                f"a weight of {name} {kind}",
                (COMMANDS[subject],),
                weights(name, WEIGHTS[kind]),
                None if kind in either else True,
            )
            for kind in kinds
        ),
    ]


CHECKPOINTS = (
    *_files("own/", "own/config.json", refused=True),
    *_files("own/", "own/model.safetensors", refused=True),
    *_files("own/", "own/tokenizer.json", "own/training.json"),
    *_mappings("own", "own/config.json", "own/config.json", "own/training.json"),
    *_mappings("own", "own/tokenizer.json"),
    *_weights("own"),
    *_files("hf/", "hf/config.json", "hf/model.safetensors", refused=True),
    *_files("hf/", "hf/tokenizer.json", "hf/tokenizer_config.json", "hf/generation_config.json"),
    *_mappings("hf", "hf/config.json", "hf/config.json", "hf/tokenizer_config.json"),
    *_mappings("hf", "hf/tokenizer.json"),
    *_weights("hf"),
)


def _measuring(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(("measure", model, "--text", text, "--out", "new") for model in ("own", "hf"))


def _training(text: str) -> tuple[tuple[str, ...], ...]:
    return (("study", "run", "study.yaml", "--text", text, "--out", "new"),)


def _refused(name: str, command: str, *culprits: str) -> Mutation:
    """Return a command that is wrong by itself and must be refused."""
    return Mutation(name, (tuple(shlex.split(command)),), _nothing(*culprits), True)


def _empty(place: Path, draw: Random) -> tuple[str, ...]:
    (place / "hollow").mkdir()
    return ("hollow",)


def _odd_name(file: Path) -> None:
    file.with_name(os.fsdecode(b"zz-odd\xff")).write_text("a b c")


BESIDE = {
    "a pipe": os.mkfifo,
    "a device": lambda file: file.symlink_to("/dev/zero"),
    "itself": lambda file: file.symlink_to("."),
    "a dangling link": lambda file: file.symlink_to("nowhere"),
    "bytes": lambda file: file.write_bytes(bytes(range(256))),
    "a name that is not UTF-8": _odd_name,
}
DATA_SETS = ("hf:someone/something", "hf:", "hf::x", "hf:own", "hf:'a b'", "hf:x@y:z:w")
TEXT_MUTATIONS = (
    *(
        Mutation(f"a text {kind}", command(name), text_file(name, make))
        for kind, (name, make) in TEXTS.items()
        for command in (_measuring, _training)
    ),
    *_files("own/", "text.txt"),
    *(
        Mutation(f"a name {kind}", _measuring(os.fsdecode(name)), called(name))
        for kind, name in NAMES.items()
    ),
    *(
        Mutation(
            f"a folder of texts holds {kind}",
            (*_measuring("notes"), COMMANDS["study"]),
            within_notes(make),
        )
        for kind, make in BESIDE.items()
    ),
    Mutation("a folder without texts", _measuring("hollow"), _empty, True),
    _refused("a text that is not there", "measure own --text gone.txt --out new", "gone.txt"),
    _refused("a text without a name", "measure own --text '' --out new", "text"),
    _refused("a device as a text", "measure own --text /dev/zero --out new", "/dev/zero"),
    _refused("no standard input", "measure own --text - --out new", "standard input"),
    *(
        _refused(f"a data set {name}", f"measure own --corpus {name} --out new", name[3:6], "hf:")
        for name in DATA_SETS
    ),
)
STUDIES = (
    *_files("study.yaml", "study.yaml"),
    *_mappings("study", *("study.yaml",) * 4),
    *(
        Mutation("odd YAML of a study", (COMMANDS["study"],), text_of("study.yaml", each), True)
        for each in YAML
    ),
)
PLANS = (
    *_files("plan", "plan.yaml"),
    *_mappings("plan", *("plan.yaml",) * 2),
    *(
        Mutation("odd YAML of a plan", (COMMANDS["plan"],), text_of("plan.yaml", each), True)
        for each in YAML
    ),
)
READERS = (COMMANDS["report"], COMMANDS["compare"], COMMANDS["export"], "explorer")
RUN, TEXT, VARIABLE = "runs/*/", "runs/*/*/", "runs/*/*/*/"


def _newer(held: dict[str, Any], draw: Random) -> None:
    held["attributes"]["schema"] = 99


def _read(name: str, change: Change, refused: bool | None = None) -> Mutation:
    return Mutation(name, READERS, change, refused)


ARCHIVES = (
    *(_read("a run has a wrong attribute", metadata(RUN, wrong_attribute)),) * 6,
    *(_read("a run lacks an attribute", metadata(RUN, no_attribute)),) * 3,
    *(_read("a text of a run has a wrong value", metadata(TEXT, wrong_value)),) * 4,
    *(_read("a variable has a wrong value", metadata(VARIABLE, wrong_value)),) * 8,
    *(_read("a variable lacks an attribute", metadata(VARIABLE, no_attribute)),) * 4,
    _read("the archive has a wrong value", metadata("", wrong_value)),
    _read("the archive is of a newer schema", metadata("", _newer), True),
    _read("a run is of a newer schema", metadata(RUN, _newer)),
    *(
        _read(f"{kind} of the archive {how}", anywhere(change, numbers=kind == "numbers"))
        for kind in ("numbers", "numbers", "metadata")
        for how, change in {
            "is gone": gone,
            "ends too soon": half,
            "is noise": noise,
            "is a pipe": pipe,
        }.items()
    ),
)
WRITERS = (
    "measure own --text text.txt --out",
    "study run study.yaml --out",
    "report runs --out",
    "export runs --out",
)


def _pipe(*culprits: str) -> Change:
    def change(place: Path, draw: Random) -> tuple[str, ...]:
        os.mkfifo(place / "pipe")
        return culprits

    return change


def _line(words: str, culprits: tuple[str, ...], change: Callable[..., Change]) -> Mutation:
    return Mutation(f"dva-lens {words[:50]}", (tuple(shlex.split(words)),), change(*culprits))


MEASURE = "measure own --text text.txt --out "
COMMAND_LINES = (
    *(_line(f"{MEASURE}new {words}", culprits, _nothing) for words, culprits in OPTIONS),
    *(_line(words, culprits, _nothing) for words, culprits in LINES),
    *(
        _line(f"{writer} {out}", culprits, _pipe)
        for writer in WRITERS
        for out, culprits in OUTPUTS
    ),
    Mutation("standard input that is closed", ("closed",), _nothing("standard input"), True),
)
AGAIN = (tuple(f"{MEASURE}runs".split()),)
STUDY_THERE = (("study", "run", "study.yaml", "--out", "runs"),)
EARLIER = (
    Mutation("before: a broken model", AGAIN, cut("own/model.safetensors"), True, earlier=True),
    Mutation("before: a broken text", AGAIN, text_of("text.txt", *NO_TEXT), True, earlier=True),
    Mutation(
        "before: a run of this name",
        (tuple(f"{MEASURE}runs --name dva-0".split()),),
        _nothing("dva-0"),
        True,
        earlier=True,
    ),
    *(Mutation("before: a study", STUDY_THERE, value_changed("study.yaml"), None, earlier=True),)
    * 3,
    Mutation("before: a damaged run", AGAIN, metadata(RUN, wrong_attribute), None, earlier=True),
)
CALLS = (
    *(Mutation("a call has a wrong value", ("call",), call_changed),) * 20,
    *(Mutation(f"a body {body[:12]!r}", (("post", body),), _nothing("")) for body in BODIES),
    *(Mutation(f"an address {path[:20]!r}", (("get", path),), _nothing("")) for path in PATHS),
)
MUTATIONS: tuple[Mutation, ...] = (
    *CHECKPOINTS,
    *TEXT_MUTATIONS,
    *STUDIES,
    *PLANS,
    *ARCHIVES,
    *COMMAND_LINES,
    *EARLIER,
    *CALLS,
)
