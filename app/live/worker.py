"""A command of `dva-lens` in a process of its own: started, listened to, and ended in time."""

import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import final

COMMAND = (sys.executable, "-m", "dva_lens.cli")
GRACE = 3.0
"""Seconds between asking a process to end and ending it."""
_KEPT = 40
"""Lines of what a process said last."""


@final
class Worker:
    """A process of the command line; what it says on its error stream is heard line by line."""

    def __init__(self, words: Sequence[str], command: Sequence[str] = COMMAND) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT)
        self.is_late = False
        self._process = subprocess.Popen(
            [*command, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def wait(self, seconds: float, hear: Callable[[str], None]) -> int:
        """Listen until the process ends, or end it after so many seconds; return its code."""
        clock = threading.Timer(seconds, self._be_late)
        clock.daemon = True
        clock.start()
        try:
            for line in self._process.stderr or ():
                self.lines.append(line.rstrip("\n"))
                hear(line)
            return self._process.wait()
        finally:
            clock.cancel()
            if self._process.stderr is not None:
                self._process.stderr.close()

    def end(self) -> None:
        """End the process, if it still runs, and wait until it has gone."""
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _be_late(self) -> None:
        self.is_late = True
        self.end()
