"""The two things that Live does with a model: measure it, and change one thing in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from .jobs import OUT, TEXT_FILE
from .models import NamedModel

EDGES = "16MiB"
SEQUENCES = 8
EFFECTS = "effects.json"


@final
@dataclass(frozen=True)
class Measuring:
    """Measure a model on what was typed."""

    model: NamedModel
    text: str

    @property
    def title(self) -> str:
        """Return what is done."""
        return f"measuring {self.model.name}"

    def words(self, folder: Path) -> list[str]:
        """Return the words of `dva-lens measure`."""
        return [
            "measure",
            f"--text={folder / TEXT_FILE}",
            f"--out={folder / OUT}",
            "--whole",
            f"--documents={SEQUENCES}",
            f"--edges={EDGES}",
            "--",
            self.model.place,
        ]


@final
@dataclass(frozen=True)
class Changing:
    """Change one thing in a model: plain values of an intervention, `change` its name."""

    model: NamedModel
    text: str
    change: str
    values: Mapping[str, Any]

    @property
    def title(self) -> str:
        """Return what is done."""
        return f"{self.change.replace('-', ' ')} in {self.model.name}"

    def words(self, folder: Path) -> list[str]:
        """Return the words of `dva-lens intervene`."""
        given = [f"--{name.replace('_', '-')}={value}" for name, value in self.values.items()]
        return [
            "intervene",
            *given,
            "--no-statistics",
            f"--text={folder / TEXT_FILE}",
            f"--out={folder / EFFECTS}",
            "--",
            self.model.place,
            self.change,
        ]
