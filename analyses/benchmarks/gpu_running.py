"""Running checks of a GPU in processes of their own, with what they say kept line by line."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

from .gpu_table import check_of

Keep = Callable[[str, dict[str, Any]], None]
LONGEST = 150.0
MODULE = f"{__package__}.gpu_checks"


@final
@dataclass(frozen=True)
class Limits:
    """When nothing new may start any more, and how long one check may take."""

    until: float
    longest: float = LONGEST

    @classmethod
    def of(cls, seconds: float) -> "Limits":
        """Return limits that count from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Return how many seconds are left."""
        return self.until - time.monotonic()


def child(names: Sequence[str]) -> int:
    """Make checks one after the other and print a line of JSON for each; an error ends it."""
    for name in names:
        started = time.monotonic()
        result = check_of(name)()
        result["seconds_taken"] = round(time.monotonic() - started, 2)
        sys.stdout.write(json.dumps({"name": name, "result": result}) + "\n")
        sys.stdout.flush()
    return 0


def command(names: Sequence[str]) -> list[str]:
    """Return how a process for some checks is started."""
    return [sys.executable, "-m", MODULE, "--child", *names]


def run_all(names: Sequence[str], keep: Keep, limits: Limits) -> None:
    """Run checks in one process, or in one more after each that fails."""
    left = list(names)
    while left and limits.left > 0:
        complaint = _run(left, keep, limits)
        if left and limits.left > 0:
            keep(left.pop(0), {"error": complaint or "the process ended without a result"})


def _run(left: list[str], keep: Keep, limits: Limits) -> str:
    """Run checks until one fails, taking those that came through off the list; say why."""
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(
            command(left), stdout=subprocess.PIPE, stderr=complaints, text=True
        )
        with process:
            lines = process.stdout
            while lines is not None:
                alarm = threading.Timer(min(limits.longest, max(0.0, limits.left)), process.kill)
                alarm.start()
                line = lines.readline()
                alarm.cancel()
                if not line:
                    break
                said = json.loads(line)
                left.remove(said["name"])
                keep(said["name"], said["result"])
        complaints.seek(0)
        complaint = complaints.read()[-2000:]
    return (
        complaint
        if process.returncode >= 0
        else f"killed after {limits.longest:.0f} s\n{complaint}"
    )
