"""What a model is run for, as values: the words of the command, and how far it has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, final, runtime_checkable

from .models import NamedModel

Phase = Literal["running", "finished", "failed", "cancelled"]
TEXT_FILE = "text.txt"
OUT = "out"


@runtime_checkable
class Task(Protocol):
    """What to run a model for, on a text that lies in a folder of its own."""

    @property
    def model(self) -> NamedModel:
        """Return the model to run."""
        ...

    @property
    def text(self) -> str:
        """Return what was typed."""
        ...

    @property
    def title(self) -> str:
        """Return what is done, as a page says it."""
        ...

    @property
    def units(self) -> str:
        """Return what is counted while it runs."""
        ...

    def words(self, folder: Path) -> Sequence[str]:
        """Return the words of the command; it reads from and writes to the folder."""
        ...


@final
@dataclass(frozen=True)
class LiveJob:
    """A task that was begun.

    `done` of `total` units of the task are done, 0 of 0 until the model is loaded; `seconds` is
    how long it has run; `said` is why it failed.
    """

    number: int
    task: Task
    phase: Phase = "running"
    done: int = 0
    total: int = 0
    seconds: float = 0.0
    said: str = ""
