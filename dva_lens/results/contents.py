"""What an archive holds: its runs, what each was measured on, how much room each takes."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import xarray as xr

from dva_lens import axes
from dva_lens.results.archive import Archive
from dva_lens.results.runs import Run
from dva_lens.results.schema import ARCHIVE, RUNS, ArchiveError, statistics_of

VERSIONS = ("dva_lens", "python", "torch")


@final
@dataclass(frozen=True)
class TextContents:
    """What a run was measured to be on one text; `trouble` says why that cannot be read."""

    documents: int = 0
    sequences: int = 0
    longest: int = 0
    statistics: int = 0
    versions: Mapping[str, str] | None = None
    trouble: str = ""


@final
@dataclass(frozen=True)
class RunContents:
    """A run, its measurements by text, and the bytes of its group and its checkpoint."""

    run: Run
    texts: Mapping[str, TextContents]
    stored: int
    checkpoint: int


def contents(archive: Archive) -> tuple[RunContents, ...]:
    """Return what every run of an archive holds, in the order of the study.

    Examples
    --------
    >>> from dva_lens.results.archive import open_archive
    >>> first = contents(open_archive("runs/quick"))[0]
    >>> first.run.label, list(first.texts)
    ('transformer-0', ['held-out', 'shuffled'])
    """
    return tuple(
        RunContents(
            run,
            {text: _of_text(archive, run, text) for text in archive.texts_of(run)},
            size_of(archive.folder / ARCHIVE / RUNS / run.key),
            size_of(archive.checkpoint(run)),
        )
        for run in archive.runs
    )


def size_of(folder: Path) -> int:
    """Return the bytes of the files below a folder, 0 where there is none."""
    return sum(
        os.lstat(Path(place) / name).st_size
        for place, _, names in os.walk(folder)
        for name in names
    )


def _of_text(archive: Archive, run: Run, text: str) -> TextContents:
    try:
        return contents_of(archive.dataset(run, text))
    except (ArchiveError, KeyError) as error:
        return TextContents(trouble=str(error))


def contents_of(data: xr.Dataset) -> TextContents:
    """Return what a measurement holds.

    Raises
    ------
    KeyError
        It does not say its documents and lengths.
    """
    documents = {str(each) for each in data[axes.DOCUMENT].values}
    return TextContents(
        len(documents),
        data.sizes[axes.SEQUENCE],
        int(data[axes.LENGTH].max()),
        len(statistics_of(data)),
        _versions(data.attrs),
    )


def _versions(attrs: Mapping[Any, Any]) -> dict[str, str]:
    try:
        made: dict[str, Any] = dict(json.loads(str(attrs.get("provenance", "{}"))))
    except (ValueError, TypeError):
        return {}
    return {name: str(made[name]) for name in VERSIONS if name in made}
