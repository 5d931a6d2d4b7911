"""Carry out one case in a child of this process, within limits, and judge what came of it."""

import os
import resource
import shutil
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import SIGKILL
from time import monotonic, sleep
from typing import NamedTuple

SECONDS = 30.0
MOST_BYTES = 1 << 30
LONGEST_ANSWER = 1500
TRACEBACK = "Traceback (most recent call last)"
RAW = "(use --debug for the traceback)"


class Done(NamedTuple):
    """What came of a case: exit code (None where it was ended), words, seconds, bytes."""

    code: int | None
    words: str
    seconds: float
    bytes: int


def carry_out(work: Callable[[], int], folder: Path, seconds: float = SECONDS) -> Done:
    """Do something in a child in a folder, its words kept apart, within time and memory."""
    log = folder.with_suffix(".log")
    since = monotonic()
    child = os.fork()
    if not child:
        _child(work, folder, log)
    code, used = _waited(child, since, seconds)
    return Done(code, log.read_text(errors="replace"), monotonic() - since, used)


def _waited(child: int, since: float, seconds: float) -> tuple[int | None, int]:
    """Return the exit code of a child and its memory; None where it hung or a signal ended it.

    A child that still works on a busy machine has its seconds of the processor.
    """
    seen, at_work = 0.0, since
    while True:
        found, status, used = os.wait4(child, os.WNOHANG)
        if found:
            code = os.waitstatus_to_exitcode(status)
            return (None if code < 0 else code), used.ru_maxrss << 10
        now, spent = monotonic(), _seconds_of(child)
        if spent > seen + 0.1:
            seen, at_work = spent, now
        if spent > seconds or (now > since + seconds and now > at_work + seconds / 3):
            os.kill(child, SIGKILL)
            os.wait4(child, 0)
            return None, 0
        sleep(0.002)


def _seconds_of(process: int) -> float:
    """Return how long a process has used the processor."""
    try:
        parts = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def _child(work: Callable[[], int], folder: Path, log: Path) -> None:
    words = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(words, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = held + 4 * MOST_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    os.chdir(folder)
    code = 70
    try:
        code = work()
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def call(*words: str) -> int:
    """Call the command line and return its exit code."""
    from dva_lens.cli import main

    sys.argv = ["dva-lens", *words]
    try:
        main()
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def problems(done: Done, culprits: Sequence[str], *, base: int, refused: bool | None) -> list[str]:
    """Return what is wrong with an answer; nothing where it is as it should be."""
    found = {
        f"it hangs for {done.seconds:.0f} s": done.code is None and done.seconds >= SECONDS,
        f"it ends with {done.code}": done.code not in (0, 1, 2),
        f"it takes {(done.bytes - base) / 2**30:.1f} GiB": done.bytes > base + MOST_BYTES,
        "a traceback": TRACEBACK in done.words,
        "it is accepted": done.code == 0 and refused,
    }
    if done.code in (1, 2):
        answer = (done.words.strip().splitlines() or [""])[-1]
        found |= {
            "a library's own words": RAW in answer,
            "no culprit": not any(name and name in done.words for name in culprits),
            f"{len(answer)} characters": len(answer) > LONGEST_ANSWER,
        }
    return [what for what, wrong in found.items() if wrong]


def linked(source: Path, target: Path) -> None:
    """Copy a folder by links: what changes in the copy must be written anew."""
    shutil.copytree(source, target, copy_function=os.link, symlinks=True)


def restore(folder: Path, source: Path) -> None:
    """Make a linked copy what it was; much quicker than another copy of many folders."""
    for place, folders, files in os.walk(folder):
        here = Path(place)
        for name in (*folders, *files):
            if not _same(here / name, source / here.relative_to(folder) / name):
                _remove(here / name)
        folders[:] = [name for name in folders if (here / name).is_dir()]
    for place, folders, files in os.walk(source):
        there = folder / Path(place).relative_to(source)
        for name in folders:
            (there / name).mkdir(exist_ok=True)
        for name in files:
            if not os.path.lexists(there / name):
                os.link(Path(place, name), there / name, follow_symlinks=False)


def _same(path: Path, source: Path) -> bool:
    """Say whether a path is still the linked file, or the folder, that it was."""
    if not os.path.lexists(source):
        return False
    found, before = path.lstat(), source.lstat()
    if stat.S_ISDIR(found.st_mode):
        return found.st_mode == before.st_mode
    return found.st_ino == before.st_ino


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.chmod(0o700)
        shutil.rmtree(path)
    else:
        path.unlink()
