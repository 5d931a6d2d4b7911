"""Works out what parts of pages show for all choices, and writes it to files of data."""

import base64
import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, final

from plotly.utils import PlotlyJSONEncoder

from dva_lens.writing import write_text

from ..inspector import PARTS
from ..library import Library
from ..page import Page, single_parts
from ..state import Selection, as_said
from .answers import answers_of
from .choices import Choices
from .names import DATA
from .states import Reads, states

_LEVEL = 6
"""How much work goes into making files small, of 9."""


@final
@dataclass(frozen=True)
class Exporting:
    """How far an export has come: `done` of `total` parts of pages."""

    done: int
    total: int
    seconds_left: float


@final
class Keeper:
    """Works out what parts show and keeps it, one file per part and run."""

    def __init__(self, folder: Path, library: Library, choices: Choices, start: Selection) -> None:
        self._folder, self._library = folder / DATA, library
        self._choices, self._start = choices, start
        self.orders: dict[str, list[tuple[str, ...]]] = {}
        self.count = 0

    def write(self, pages: Sequence[Page], tell: Callable[[Exporting], None]) -> None:
        """Work out and write all parts of pages, and those that stand beside every page."""
        where: dict[str, list[Page]] = {}
        parts: dict[str, Any] = {}
        for page in pages:
            for part in (*single_parts(page.parts), *PARTS):
                parts[part.name] = part
                where.setdefault(part.name, []).append(page)
        began = monotonic()
        for done, (name, part) in enumerate(parts.items(), start=1):
            for kept, answer in answers_of(part, self._library):
                self._write(kept, answer, where[name])
            left = (monotonic() - began) / done * (len(parts) - done)
            tell(Exporting(done, len(parts), left))

    def _write(self, name: str, answer: Callable[[Selection], Any], pages: Sequence[Page]) -> None:
        kept: dict[Reads, Any] = {}
        for page in pages:
            start = self._choices.fit(self._start, page)
            kept |= dict(states(answer, start, page, self._choices))
        self.orders[name] = list(dict.fromkeys(tuple(key for key, _ in reads) for reads in kept))
        self.count += len(kept)
        chunks: dict[str, dict[str, Any]] = {}
        runs = self._choices.fields["run"]
        for reads, shown in kept.items():
            run = dict(reads).get("run")
            chunk = name if run is None else f"{name}-{runs.index(run)}"
            key = "&".join(f"{field}={as_said(field, value)}" for field, value in reads)
            chunks.setdefault(chunk, {})[key] = shown
        for chunk, held in chunks.items():
            packed = gzip.compress(as_script(held).encode(), _LEVEL, mtime=0)
            text = base64.b64encode(packed).decode()
            write_text(self._folder / f"{chunk}.js", f'lensOffline.take("{chunk}", "{text}");\n')


def as_script(value: Any) -> str:
    """Return a value as a script says it."""
    return json.dumps(value, cls=PlotlyJSONEncoder)
