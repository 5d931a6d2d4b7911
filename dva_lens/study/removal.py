"""Taking a run out of a folder: its measurements, its training log and its checkpoint.

The run leaves the archive in one step and is deleted after that, so that a process that is killed
leaves an archive with or without the run, and never a part of it.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from dva_lens.files import read_json
from dva_lens.results.archive import Archive, scan
from dva_lens.results.contents import size_of
from dva_lens.results.runs import archive_folder
from dva_lens.results.schema import (
    ARCHIVE,
    CATALOGUE,
    CHECKPOINTS,
    PARTIAL,
    RUNS,
    SCHEMA_VERSION,
    ArchiveError,
)
from dva_lens.results.writer import write_catalogue
from dva_lens.study.folder import LARGEST_CATALOGUE, STUDY, claimed
from dva_lens.validation import meant

CHECKPOINT = "-checkpoint"


@final
@dataclass(frozen=True)
class RemovedRun:
    """What was removed; `trains_again` says that the study of the folder would make it anew."""

    label: str
    key: str
    texts: tuple[str, ...]
    stored: int
    checkpoint: int
    trains_again: bool


def remove_run(folder: Path, name: str) -> RemovedRun:
    """Remove the run with this label or key, also one that cannot be read, and say what it was.

    Raises
    ------
    ArchiveError
        The folder holds no archive, or no such run.
    RuntimeError
        Another process is writing to the folder.
    """
    folder = archive_folder(folder)
    with claimed(folder):
        archive = scan(folder)
        key, label, texts = _found(archive, name)
        group, checkpoint = folder / ARCHIVE / RUNS / key, _checkpoint(folder, label)
        stored = size_of(group)
        kept = 0 if checkpoint is None else size_of(checkpoint)
        _drop(group, folder / PARTIAL / key)
        if checkpoint is not None:
            _drop(checkpoint, folder / PARTIAL / (key + CHECKPOINT))
        write_catalogue(folder, _catalogue(folder))
        again = (folder / STUDY).is_file()
    return RemovedRun(label or key, key, texts, stored, kept, again)


def _found(archive: Archive, name: str) -> tuple[str, str, tuple[str, ...]]:
    for run in archive.runs:
        if name in (run.key, run.label):
            return run.key, run.label, archive.texts_of(run)
    damaged = [group.rpartition("/")[2] for group in archive.unreadable]
    if name in damaged:
        return name, "", ()
    labels = [run.label for run in archive.runs]
    raise ArchiveError(
        f"No run {name!r} in {archive.folder}{meant(name, labels)}; it holds: "
        f"{', '.join([*labels, *damaged]) or 'none'}."
    )


def _checkpoint(folder: Path, label: str) -> Path | None:
    """Return the folder of the trained model, which lies directly below that of checkpoints."""
    found = folder / CHECKPOINTS / label
    return found if label and found.parent.name == CHECKPOINTS and found.is_dir() else None


def _drop(place: Path, aside: Path) -> None:
    """Move a folder to where what is unfinished lies, in one step, and delete it there."""
    shutil.rmtree(aside, ignore_errors=True)
    place.replace(aside)
    shutil.rmtree(aside)


def _catalogue(folder: Path) -> dict[str, Any]:
    try:
        held = read_json(folder / CATALOGUE, limit=LARGEST_CATALOGUE)
    except (FileNotFoundError, ValueError):
        held = {"schema": SCHEMA_VERSION}
    return {**held, "runs": [json.loads(json.dumps(dict(row))) for row in scan(folder).catalogue]}
