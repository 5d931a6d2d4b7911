"""What live runs left: measurements in an archive of their own, and effects of changes."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from dva_lens.files import read_json
from dva_lens.results.archive import open_archive
from dva_lens.results.groups import read
from dva_lens.results.schema import ARCHIVE, RUNS
from dva_lens.results.writer import write_run

from .jobs import LiveJob
from .tasks import EFFECTS, PAIR, TILES, Changing, Looking, Tiling

MOST = 16
"""Measurements that are kept; the oldest one makes room."""
LARGEST = 1 << 26
"""Bytes of the effects of one change that are read."""
MARK = "live"


@final
@dataclass(frozen=True)
class LiveMeasurement:
    """A measured text: the runs that it made, and the name of the text in the archive."""

    job: LiveJob
    runs: tuple[str, ...]
    text: str
    sequences: int
    tokens: int


@final
@dataclass(frozen=True)
class LiveEffect:
    """What a change did, as `dva_lens.diagnostics.interventions.document` describes it."""

    job: LiveJob
    found: Mapping[str, Any]


@final
@dataclass(frozen=True)
class LivePair:
    """What a query makes of one key, as `dva_lens.measuring.pair.Pair` describes it."""

    job: LiveJob
    found: Mapping[str, Any]


@final
@dataclass(frozen=True)
class LivePattern:
    """A part of a pattern in cells, as `dva-lens pattern` writes it."""

    job: LiveJob
    found: Mapping[str, Any]


LiveFinding = LiveEffect | LivePair | LivePattern
LiveResult = LiveMeasurement | LiveFinding
LEFT: dict[type, tuple[type[LiveFinding], str]] = {
    Changing: (LiveEffect, EFFECTS),
    Looking: (LivePair, PAIR),
    Tiling: (LivePattern, TILES),
}
"""What a task that measures nothing leaves, and in which file."""


def finding_of(job: LiveJob, folder: Path) -> LiveFinding:
    """Read what a job left that is no run.

    Raises
    ------
    ValueError
        The file is damaged.
    """
    kind, file = LEFT[type(job.task)]
    return kind(job, read_json(folder / file, limit=LARGEST))


def keep_measurement(job: LiveJob, out: Path, pool: Path, *, text: str) -> LiveMeasurement:
    """Move the runs of a job's archive into the pool, marked as live, on a text of this name.

    Raises
    ------
    ArchiveError
        The job left no archive that can be read.
    """
    left = open_archive(out)
    labels, sequences, tokens = [], 0, 0
    for place, run in enumerate(left.runs):
        label = live_label(job.task.model.name, job.number, run.label.partition(" · ")[2])
        about = {"label": label, "model": label, "preset": label}
        about |= {"provenance": json.dumps({"text": "typed into the explorer"})}
        data = read(left.dataset(run), f"live run {job.number}").assign_attrs(about)
        attrs = {**run.attrs, **about, "order": job.number}
        write_run(pool, f"{MARK}-{job.number}-{place}", attrs=attrs, measurements={text: data})
        labels.append(label)
        sequences, tokens = data.sizes["sequence"], int(data["length"].sum())
    return LiveMeasurement(job, tuple(labels), text, sequences, tokens)


def forget(found: LiveMeasurement, pool: Path) -> None:
    """Delete the runs of a measurement."""
    for group in (pool / ARCHIVE / RUNS).glob(f"{MARK}-{found.job.number}-*"):
        shutil.rmtree(group, ignore_errors=True)


def live_label(model: str, number: int, part: str = "") -> str:
    """Return what a live run is called: after its model, a part of it, and its number."""
    return " · ".join(filter(None, (model, part, f"{MARK} {number}")))


def model_of(name: str) -> str:
    """Return the model that a run is of: one that was run live, or one of the archive."""
    return name.partition(" · ")[0] if live_number(name) else name


def live_number(name: str) -> str:
    """Return the number of the live run that a name is of, and nothing for any other name."""
    _, mark, number = name.rpartition(f" · {MARK} ")
    return number if mark and number.isdecimal() and number.isascii() else ""
