"""Kill a process at a file operation of its own, and see what it leaves.

The seam is Python's audit hook: it is called before a file is opened, moved or removed, whatever
library does it. Operations that change nothing (making a folder that is there) do not count.
"""

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGKILL
from time import monotonic, sleep
from typing import Any, NamedTuple

import safetensors.torch

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
GONE = b"half of what was to be wri"
_KEYS = re.compile(r"(?<![0-9a-zA-Z])(?=[0-9a-f]*[0-9])[0-9a-f]{8,64}")
_NUMBERS = re.compile(r"[0-9]+")
_VARIABLES = re.compile(r"(\.partial/KEY/[^/]+/)[^/]+/")
_CHUNKS = re.compile(r"(?:/#)+")


class Point(NamedTuple):
    """A moment in the life of a process: before the `count`-th operation that looks like this.

    A `torn` one has begun to write: the file is there, and half of something is in it.
    """

    operation: str
    count: int
    torn: bool = False

    def __str__(self) -> str:
        """Return the moment as a person reads it."""
        return f"{'in' if self.torn else 'before'} {self.operation} ({self.count})"


def audit_what_rust_writes() -> None:
    """Let the writer of safetensors, which is not Python, say what it opens."""
    write = safetensors.torch.serialize_file

    def serialize_file(tensors: Any, name: Any, *more: Any, **named: Any) -> Any:
        sys.audit("open", str(name), "wb", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        return write(tensors, name, *more, **named)

    safetensors.torch.serialize_file = serialize_file


def operation(event: str, given: tuple[Any, ...], root: Path) -> str:
    """Return what an audited event does to the files below a folder; nothing if it does not."""
    if event == "open" and not (isinstance(given[2], int) and given[2] & WRITES):
        return ""
    if event not in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link"):
        return ""
    places = given[:2] if event in ("os.rename", "os.link") else given[:1]
    if not all(isinstance(place, (str, Path)) for place in places):
        return ""
    paths = [Path(os.path.abspath(place)) for place in places]  # noqa: PTH100 - links stay
    if not all(path.is_relative_to(root) and path.name != "lock" for path in paths):
        return ""
    if event == "os.mkdir" and paths[0].exists():
        return ""
    return f"{event.removeprefix('os.')} {' to '.join(_shape(path, root) for path in paths)}"


def _shape(path: Path, root: Path) -> str:
    """Return a path without what is drawn by chance or made of content."""
    shape = _KEYS.sub("KEY", path.relative_to(root).as_posix())
    return _CHUNKS.sub("/#", _VARIABLES.sub(r"\1VARIABLE/", _NUMBERS.sub("#", shape)))


def forked(work: Callable[[], object], log: Path) -> int:
    """Do something in a child of this process, its words into a file; return the child."""
    child = os.fork()
    if child:
        return child
    words = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(words, 1)
    os.dup2(words, 2)
    try:
        work()
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def ended(child: int) -> int:
    """Wait for a child; return its exit code, negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def operations(work: Callable[[], object], root: Path, log: Path) -> Counter[str]:
    """Do something in a child and return how often it did which file operation."""

    def counted() -> None:
        seen: Counter[str] = Counter()
        sys.addaudithook(lambda event, given: seen.update(filter(None, [_of(event, given)])))
        work()
        log.with_suffix(".count").write_text("\n".join(f"{n} {o}" for o, n in seen.items()))

    def _of(event: str, given: tuple[Any, ...]) -> str:
        return operation(event, given, root)

    code = ended(forked(counted, log))
    if code:
        raise RuntimeError(f"It fails without being killed:\n{log.read_text()[-2000:]}")
    lines = (line.partition(" ") for line in log.with_suffix(".count").read_text().splitlines())
    return Counter({name: int(count) for count, _, name in lines})


def killed_at(work: Callable[[], object], point: Point, root: Path, log: Path) -> bool:
    """Do something in a child that is killed at a point; say whether it came that far."""

    def doomed() -> None:
        seen = 0

        def hook(event: str, given: tuple[Any, ...]) -> None:
            nonlocal seen
            if seen >= point.count or operation(event, given, root) != point.operation:
                return
            seen += 1
            if seen == point.count:
                if point.torn:
                    os.write(os.open(given[0], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), GONE)
                os.kill(os.getpid(), SIGKILL)

        sys.addaudithook(hook)
        work()

    return ended(forked(doomed, log)) == -SIGKILL


def killed_after(work: Callable[[], object], seconds: float, log: Path) -> bool:
    """Do something in a child that is killed after a time; say whether it was still at it."""
    child = forked(work, log)
    until = monotonic() + seconds
    while monotonic() < until and not os.waitpid(child, os.WNOHANG)[0]:
        sleep(0.002)
    try:
        os.kill(child, SIGKILL)
    except ProcessLookupError:
        return False
    return ended(child) == -SIGKILL


def points(found: Counter[str]) -> Iterator[Point]:
    """Yield every moment of a process that did these operations, torn writes after whole ones."""
    for name, count in found.items():
        for number in range(1, count + 1):
            yield Point(name, number)
            if name.startswith("open "):
                yield Point(name, number, torn=True)
