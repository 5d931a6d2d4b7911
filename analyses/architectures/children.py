"""Running one class after another, each in a child process with limits, and keeping the results.

A class that hangs, dies or takes too much memory costs its own line and no more; a run that is
stopped goes on where it was.
"""

import json
import os
import resource
import select
import signal
import traceback
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from dva_lens.writing import write_text

from .building import build
from .checking import compare
from .classes import Entry
from .float64 import in_float64

PROCESSOR_SECONDS, WALL_SECONDS, BYTES = 120, 600, 12 << 30
WARM = (
    "scipy.stats",
    *(
        f"transformers.models.{name}.modeling_{name}"
        for name in ("llama", "bert", "bart", "vit", "llava", "qwen2_vl")
    ),
)
"""What is imported once, before there are children."""
Result = dict[str, Any]


def results(
    entries: Iterable[Entry], cache: Path, progress: Callable[[Result], None]
) -> list[Result]:
    """Return the result of every class, from the cache where it is there."""
    for name in WARM:
        import_module(name)
    held: dict[str, Result] = json.loads(cache.read_text()) if cache.exists() else {}
    found: list[Result] = []
    for entry in entries:
        if entry.name not in held:
            held[entry.name] = asdict(entry) | _in_child(entry.name)
            write_text(cache, json.dumps(held, indent=1, sort_keys=True))
            progress(held[entry.name])
        found.append(held[entry.name])
    return found


def result_of(name: str) -> Result:
    """Build one class and compare it with its eager attention; say where it stopped, if it did."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of training, of caches: nothing about a measurement
        try:
            with in_float64():
                build(name)
        except Exception as error:
            return {"stage": "building", **_stopped(error)}
        try:
            return {"stage": "measured", **asdict(compare(name))}
        except Exception as error:
            return {"stage": "measuring", **_stopped(error)}


def _stopped(error: Exception) -> Result:
    frames = traceback.extract_tb(error.__traceback__)
    spoken = [each for each in frames if not _is_torch(each.filename)] or frames
    place = f"{Path(spoken[-1].filename).name}:{spoken[-1].lineno}"
    return {"error": type(error).__name__, "message": str(error)[:600], "place": place}


def _is_torch(place: str) -> bool:
    return "/torch/" in place or place.endswith("float64.py")


def _in_child(name: str) -> Result:
    """Return the result of a class from a child process, or what became of it."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _answer(name, write)
    os.close(write)
    held = _read_all(read, child)
    os.close(read)
    _, status = os.waitpid(child, 0)
    if held:
        return json.loads(held)
    code = os.waitstatus_to_exitcode(status)
    return {"stage": "stopped", "error": "stopped", "message": f"exit code {code}", "place": ""}


def _answer(name: str, write: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    try:
        with os.fdopen(write, "w") as pipe:
            json.dump(result_of(name), pipe)
    finally:
        os._exit(0)


def _read_all(read: int, child: int) -> bytes:
    held = b""
    while True:
        ready, _, _ = select.select([read], [], [], WALL_SECONDS)
        if not ready:
            os.kill(child, signal.SIGKILL)
            return b""
        piece = os.read(read, 1 << 16)
        if not piece:
            return held
        held += piece
