"""What Live does with a model: measure it, change one thing in it, look at one pair."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from .jobs import OUT, TEXT_FILE
from .models import NamedModel

EDGES = "16MiB"
SEQUENCES = 8
EFFECTS = "effects.json"
PAIR = "pair.json"


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


@final
@dataclass(frozen=True)
class Looking:
    """Look at one pair of query and key: `place` says the layer, the head and both positions."""

    model: NamedModel
    text: str
    place: Mapping[str, int]

    @property
    def title(self) -> str:
        """Return what is done."""
        return f"one pair in {self.model.name}"

    def words(self, folder: Path) -> list[str]:
        """Return the words of `dva-lens pair`."""
        return [
            "pair",
            *(f"--{name}={value}" for name, value in self.place.items()),
            f"--text={folder / TEXT_FILE}",
            f"--out={folder / PAIR}",
            "--",
            self.model.place,
        ]
