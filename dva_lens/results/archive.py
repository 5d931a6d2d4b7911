"""Read an archive: its runs, their training logs and their measurements, opened when asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

import xarray as xr
import zarr
from zarr.errors import BaseZarrError

from dva_lens.results.schema import (
    ARCHIVE,
    CHECKPOINTS,
    RUNS,
    TRAINING,
    ArchiveError,
    check_run,
    check_version,
)
from dva_lens.results.writer import count_files

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, BaseZarrError)


@final
@dataclass(frozen=True)
class Run:
    """One trained and measured model of an archive, and what its group says of it."""

    key: str
    label: str
    model: str
    preset: str
    seed: int
    attrs: Mapping[str, Any]


@final
@dataclass(frozen=True)
class Archive:
    """The finished runs of a folder.

    `unreadable` maps the groups that could not be read to the reason; it takes nothing from the
    runs that can.
    """

    folder: Path
    runs: tuple[Run, ...]
    unreadable: Mapping[str, str]

    @property
    def catalogue(self) -> tuple[Mapping[str, Any], ...]:
        """What every run says of itself, one row per run."""
        return tuple({"key": run.key, **run.attrs} for run in self.runs)

    def run(self, name: str) -> Run:
        """Return the run with this key or label."""
        for run in self.runs:
            if name in (run.key, run.label):
                return run
        held = ", ".join(run.label for run in self.runs)
        raise ArchiveError(f"No run {name!r} in {self.folder}; it holds: {held}.")

    def probes(self, run: Run | str) -> tuple[str, ...]:
        """Return the names of the texts that a run was measured on, the main one first."""
        return tuple(self._find(run).attrs.get("probes", ()))

    def dataset(self, run: Run | str, probe: str | None = None) -> xr.Dataset:
        """Open the measurement of a run on a probe (the main one if none is named), lazily."""
        found = self._find(run)
        probes = self.probes(found)
        name = probe if probe is not None else next(iter(probes), "")
        if name not in probes:
            raise ArchiveError(
                f"Run {found.label} was not measured on {name!r}; it was on: {', '.join(probes)}."
            )
        return self._open(found, name)

    def training(self, run: Run | str) -> xr.Dataset:
        """Open the training log of a run: loss, held-out loss, seconds and tokens per step."""
        return self._open(self._find(run), TRAINING)

    def checkpoint(self, run: Run | str) -> Path:
        """Return the folder in which the trained model of a run is kept."""
        return self.folder / CHECKPOINTS / self._find(run).label

    def _find(self, run: Run | str) -> Run:
        return self.run(run) if isinstance(run, str) else run

    def _open(self, run: Run, group: str) -> xr.Dataset:
        name = f"/{RUNS}/{run.key}/{group} of {self.folder}"
        store = self.folder / ARCHIVE / RUNS / run.key
        about = _attrs_of(store / group, name)
        due, found = about.get("files", 0), count_files(store / group)
        if found < due:
            raise ArchiveError(
                f"{name} is half written: it holds {found} of its {due} files; delete {store} "
                f"and run the study again."
            )
        try:
            opened = xr.open_zarr(store, group=group, consolidated=False, chunks=None)
            names = opened.attrs.pop("variables", list(opened))
            opened.attrs.pop("files", None)
            return _with_python_text(opened[names])
        except _UNREADABLE as error:
            raise ArchiveError(f"{name} cannot be read: {_short(error)}") from error


def open_archive(folder: Path | str) -> Archive:
    """Open the archive that a study or a measurement left in a folder."""
    archive = scan(_archive_folder(Path(folder)))
    if not archive.runs:
        reasons = " ".join(archive.unreadable.values())
        raise ArchiveError(
            f"{archive.folder} holds no finished run yet; the command that started it continues "
            f"it. {reasons}".rstrip()
        )
    return archive


def scan(folder: Path) -> Archive:
    """Return the runs of a folder as they are, also where there is none yet."""
    runs: list[Run] = []
    unreadable: dict[str, str] = {}
    if (folder / ARCHIVE).exists():
        where = f"{ARCHIVE} of {folder}"
        check_version(_attrs_of(folder / ARCHIVE, where), where)
    for path in sorted((folder / ARCHIVE / RUNS).glob("*/")):
        group = f"/{RUNS}/{path.name}"
        try:
            attrs = _attrs_of(path, group)
            check_run(attrs, group)
        except ArchiveError as error:
            unreadable[group] = str(error)
            continue
        runs.append(_run(path.name, attrs))
    ordered = sorted(runs, key=lambda run: (run.attrs.get("order", 0), run.seed, run.label))
    return Archive(folder, tuple(ordered), MappingProxyType(unreadable))


def _archive_folder(folder: Path) -> Path:
    if folder.name == ARCHIVE:
        folder = folder.parent
    if not folder.exists():
        raise ArchiveError(
            f"There is no folder {folder}; `dva-lens study run --out {folder}` makes an archive."
        )
    if not (folder / ARCHIVE).is_dir():
        raise ArchiveError(
            f"{folder} holds no {ARCHIVE}, so it is not the folder of a study; pass the folder "
            f"given to `dva-lens study run --out`."
        )
    return folder


def _run(key: str, attrs: Mapping[str, Any]) -> Run:
    return Run(
        key=key,
        label=str(attrs["label"]),
        model=str(attrs["model"]),
        preset=str(attrs["preset"]),
        seed=int(attrs["seed"]),
        attrs=MappingProxyType(dict(attrs)),
    )


def _attrs_of(path: Path, group: str) -> dict[str, Any]:
    try:
        return dict(zarr.open_group(path, mode="r", zarr_format=3).attrs)
    except _UNREADABLE as error:
        raise ArchiveError(
            f"{group} cannot be read, it is missing, locked or half written: {_short(error)}"
        ) from error


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no detail'}"


def _with_python_text(dataset: xr.Dataset) -> xr.Dataset:
    texts = {
        name: (variable.dims, variable.values.astype(object), variable.attrs)
        for name, variable in dataset.variables.items()
        if variable.dtype.kind == "T"
    }
    return dataset.assign(texts)
