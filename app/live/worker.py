"""A command of `dva-lens` in a process of its own: started, listened to, and ended in time."""

import contextlib
import json
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import final

COMMAND = (sys.executable, "-m", "dva_lens.cli")
STANDBY = "standby"
"""The command that loads what runs a model and waits for the words of another."""
GRACE = 3.0
"""Seconds between asking a process to end and ending it."""
_KEPT = 40
"""Lines of what a process said last."""


@final
class Worker:
    """A process of the command line; what it says on its error stream is heard line by line.

    One that is started without words has everything loaded when they come.
    """

    def __init__(
        self, words: Sequence[str] | None = None, command: Sequence[str] = COMMAND
    ) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT)
        self.is_late = False
        self._process = subprocess.Popen(
            [*command, *([STANDBY] if words is None else words)],
            stdin=subprocess.PIPE if words is None else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def assign(self, words: Sequence[str]) -> bool:
        """Hand a process that waits what to run; say whether it was still there to take it."""
        heard = self._process.stdin
        if heard is None or self._process.poll() is not None:
            return False
        try:
            heard.write(json.dumps(list(words)) + "\n")
            heard.close()
        except OSError:
            return False
        return True

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

    def dismiss(self) -> None:
        """End a process that was given nothing, and forget what it said."""
        self.end()
        for pipe in (self._process.stdin, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _be_late(self) -> None:
        self.is_late = True
        self.end()
