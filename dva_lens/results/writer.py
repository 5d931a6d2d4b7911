"""Write runs so that a killed process leaves finished runs whole and unfinished ones invisible.

A run is built in `DIR/.partial/KEY` and moved into the archive in one step. Replacing a run that
is already there moves the old one aside first; `recover` puts it back if nothing took its place.
"""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import ZstdCodec

from dva_lens.results.schema import (
    ARCHIVE,
    CATALOGUE,
    EDGES,
    FORMAT,
    PARTIAL,
    RUNS,
    SCHEMA_VERSION,
    TRAINING,
    ArchiveError,
    check_measurement,
    check_run,
    is_text_name,
    with_texts,
)
from dva_lens.writing import write_text

_ASIDE = ".old"
_ROOT = "root"
FORMER_SCHEMAS = (1,)


def create_archive(folder: Path) -> Path:
    """Make the empty archive of a folder, or keep the one that is there; return its path.

    It appears whole or not at all. One of an older schema takes runs of this one from now on.
    """
    path = Path(folder) / ARCHIVE
    about: dict[str, Any] = {"schema": SCHEMA_VERSION, "format": FORMAT}
    if (path / RUNS / "zarr.json").exists():
        root = zarr.open_group(path, mode="r+")
        if root.attrs.get("schema") in FORMER_SCHEMAS:
            root.attrs.update(about)
        return path
    draft = Path(folder) / PARTIAL / _ROOT
    shutil.rmtree(draft, ignore_errors=True)
    draft.parent.mkdir(parents=True, exist_ok=True)
    zarr.open_group(draft, mode="w", zarr_format=3, attributes=about).require_group(RUNS)
    _drop_started_root(path)
    os.replace(draft, path)  # noqa: PTH105  whole or not at all
    return path


def write_run(
    folder: Path,
    key: str,
    *,
    attrs: Mapping[str, Any],
    measurements: Mapping[str, xr.Dataset],
    training: xr.Dataset | None = None,
) -> Path:
    """Write one run, its training log and its measurement on each text; return its group.

    A run of the same key that is already there is replaced as a whole.
    """
    attrs = with_texts(attrs, list(measurements))
    check_run(attrs, f"/{RUNS}/{key}")
    for text, measurement in measurements.items():
        check_text_name(text)
        check_measurement(measurement, f"/{RUNS}/{key}/{text}")
    target = create_archive(folder) / RUNS / key
    partial = Path(folder) / PARTIAL / key
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(exist_ok=True)
    zarr.open_group(partial, mode="w", zarr_format=3, attributes=attrs)
    if training is not None:
        write_group(training, partial, TRAINING)
    for text, measurement in measurements.items():
        write_group(measurement, partial, text)
    _move(partial, target)
    return target


def move_run(folder: Path, key: str, group: Path) -> Path:
    """Move the group of a run, written elsewhere on the same file system; return where it is now.

    A run of the same key that is already there is replaced as a whole.
    """
    target = create_archive(folder) / RUNS / key
    partial = Path(folder) / PARTIAL / key
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(exist_ok=True)
    os.replace(group, partial)  # noqa: PTH105  one name for the step everything rests on
    _move(partial, target)
    return target


def check_text_name(name: str) -> None:
    """Refuse a name of a text that cannot be the name of a group beside the training log.

    Raises
    ------
    ArchiveError
        The name is that of the training log, or holds anything but letters, digits, `-` and `_`.
    """
    if not is_text_name(name):
        raise ArchiveError(
            f"A text's name must be of letters, digits, '-' and '_' and not {TRAINING!r}, "
            f"got {name!r}."
        )


def write_group(dataset: xr.Dataset, store: Path, group: str) -> None:
    """Write a dataset as one group of a zarr store; note its variables and number of files.

    Every chunk holds a checksum, so that what was changed on the way is not taken for numbers.
    Edges come in one chunk per layer, everything else whole.
    """
    plain = plain_text(dataset)
    checked: dict[Any, dict[str, Any]] = {
        name: {"compressors": (ZstdCodec(checksum=True),)} for name in plain.variables
    }
    for name in EDGES:  # one layer is read at a time
        if name in plain:
            checked[name]["chunks"] = (1, *plain[name].shape[1:])
    plain.to_zarr(
        store, group=group, mode="w", zarr_format=3, consolidated=False, encoding=checked
    )
    zarr.open_group(store, path=group, mode="r+").attrs.update(
        {"variables": [str(name) for name in dataset], "files": count_files(store / group)}
    )


def count_files(group: Path) -> int:
    """Count the regular files below a group: fewer than were written means that some were lost."""
    found, folders = 0, [str(group)]
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:  # as a rule the kind of an entry is known without asking again
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    found += entry.is_file()
    return found


def plain_text(dataset: xr.Dataset) -> xr.Dataset:
    """Return the dataset with text as strings of any length, the only text zarr 3 specifies."""
    texts = {
        name: variable.astype(object)
        for name, variable in dataset.variables.items()
        if variable.dtype.kind in "UT"
    }
    return dataset.assign({name: (v.dims, v.values, v.attrs) for name, v in texts.items()})


def write_catalogue(folder: Path, catalogue: Mapping[str, Any]) -> Path:
    """Write the list of finished runs beside the archive, whole or not at all."""
    path = Path(folder) / CATALOGUE
    return write_text(path, json.dumps(catalogue, indent=2, default=_plain) + "\n")


def recover(folder: Path) -> None:
    """Put back runs that were moved aside by a process that died, and drop half-written ones.

    Folders in `.partial` with a suffix of their own are somebody else's and stay.
    """
    _drop_started_root(Path(folder) / ARCHIVE)
    partial = Path(folder) / PARTIAL
    for found in sorted(path for path in partial.glob("*") if path.is_dir()):
        target = Path(folder) / ARCHIVE / RUNS / found.stem
        if found.suffix == _ASIDE and not target.exists():
            found.replace(target)
        elif found.suffix in (_ASIDE, ""):
            shutil.rmtree(found)


def _move(partial: Path, target: Path) -> None:
    aside = partial.with_name(partial.name + _ASIDE)
    if target.exists():
        shutil.rmtree(aside, ignore_errors=True)
        target.replace(aside)
    os.replace(partial, target)  # noqa: PTH105  one name for the step everything rests on
    shutil.rmtree(aside, ignore_errors=True)


def _drop_started_root(path: Path) -> None:
    """Remove an archive that a process died making: it holds no run."""
    if path.is_dir() and not (path / RUNS / "zarr.json").exists() and not any(path.glob("*/*/")):
        shutil.rmtree(path)


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"A catalogue holds plain values, got {type(value).__name__}.")
