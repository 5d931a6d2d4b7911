"""What is done with a model: measure it, change one thing, look at its pattern or one pair."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from ..area import Area
from .jobs import OUT, TEXT_FILE
from .models import NamedModel

EDGES = "16MiB"
SEQUENCES = 8
EFFECTS = "effects.json"
PAIR = "pair.json"
TILES = "tiles.json"
LAYERS = "layers"
"""The folder beside those of jobs for queries and keys of layers whose patterns were looked at."""
LAYER_BYTES = 2 << 30
"""What that folder holds at most before another job begins; the oldest goes first."""
CELLS_ALONG = 128
"""Cells along each side of a pattern: what is sent does not grow with the text."""


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

    @property
    def units(self) -> str:
        """Return what is counted while it runs."""
        return "windows"

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

    @property
    def units(self) -> str:
        """Return what is counted while it runs."""
        return "windows"

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

    @property
    def units(self) -> str:
        """Return what is counted while it runs."""
        return "steps"

    def words(self, folder: Path) -> list[str]:
        """Return the words of `dva-lens pair`."""
        return [
            "pair",
            *(f"--{name}={value}" for name, value in self.place.items()),
            f"--text={folder / TEXT_FILE}",
            "--whole",
            f"--keep={folder.parent / LAYERS}",
            f"--out={folder / PAIR}",
            "--",
            self.model.place,
        ]


@final
@dataclass(frozen=True)
class Tiling:
    """Look at a part of the pattern of a head, on one of the sequences of a text."""

    model: NamedModel
    text: str
    layer: int
    head: int
    sequence: int
    area: Area | None
    """None for all of it, however long the text turns out to be."""

    @property
    def title(self) -> str:
        """Return what is done."""
        return f"the pattern of layer {self.layer}, head {self.head} in {self.model.name}"

    @property
    def units(self) -> str:
        """Return what is counted while it runs."""
        return "parts"

    def words(self, folder: Path) -> list[str]:
        """Return the words of `dva-lens pattern`."""
        at = self.area
        part = (
            []
            if at is None
            else [f"--queries={at.query}:{at.query_stop}", f"--keys={at.key}:{at.key_stop}"]
        )
        return [
            "pattern",
            f"--layer={self.layer}",
            f"--head={self.head}",
            f"--sequence={self.sequence}",
            *part,
            f"--resolution={CELLS_ALONG}",
            f"--text={folder / TEXT_FILE}",
            "--whole",
            f"--keep={folder.parent / LAYERS}",
            f"--out={folder / TILES}",
            "--",
            self.model.place,
        ]


def forget_layers(place: Path, most: int = LAYER_BYTES) -> None:
    """Delete the oldest of the layers that are kept beside jobs, down to so many bytes."""
    files = sorted((place / LAYERS).glob("*.safetensors"), key=lambda file: file.stat().st_mtime)
    total = sum(file.stat().st_size for file in files)
    for file in files:
        if total <= most:
            return
        total -= file.stat().st_size
        file.unlink()
