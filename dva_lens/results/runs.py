"""The runs of an archive: what each says of itself, and why some cannot be read."""

# Strict but for what xarray, zarr and pandas leave untyped in their own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

from dva_lens.results.groups import attributes_of
from dva_lens.results.schema import ARCHIVE, RUNS, ArchiveError, check_run, check_version
from dva_lens.results.shipped import shipped_folder


@final
@dataclass(frozen=True, repr=False)
class Run:
    """One trained and measured model of an archive: its group, and what that says of it."""

    key: str
    label: str
    model: str
    preset: str
    seed: int
    attrs: Mapping[str, Any]
    group: Path

    def __repr__(self) -> str:
        on = ", ".join(str(text) for text in self.attrs.get("texts", ()))
        return f"Run {self.label} ({self.key}): {self.model}, seed {self.seed}, on {on}"


def runs_in(folder: Path) -> tuple[tuple[Run, ...], Mapping[str, str]]:
    """Return the finished runs of a folder in the order of the study, also where there is none.

    The second part maps the groups that cannot be read to the reason.

    Raises
    ------
    ArchiveError
        The archive is not of a schema that this version reads.
    """
    runs: list[Run] = []
    unreadable: dict[str, str] = {}
    if (folder / ARCHIVE).exists():
        where = f"{ARCHIVE} of {folder}"
        check_version(attributes_of(folder / ARCHIVE, where), where)
    for path in sorted((folder / ARCHIVE / RUNS).glob("*/")):
        group = f"/{RUNS}/{path.name}"
        try:
            attrs = attributes_of(path, group)
            check_run(attrs, group)
        except ArchiveError as error:
            unreadable[group] = str(error)
            continue
        runs.append(_run(path, attrs))
    ordered = sorted(runs, key=lambda run: (run.attrs.get("order", 0), run.seed, run.label))
    return tuple(ordered), MappingProxyType(unreadable)


def archive_folder(folder: Path) -> Path:
    """Return the folder of a study that holds an archive, also where the archive was named.

    The name of results that come with the package stands for the folder they are unpacked into.

    Raises
    ------
    ArchiveError
        There is no such folder, it holds no archive, or its name is that of shipped results too.
    """
    if (shipped := shipped_folder(folder)) is not None:
        return shipped
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


def _run(group: Path, attrs: Mapping[str, Any]) -> Run:
    return Run(
        key=group.name,
        label=str(attrs["label"]),
        model=str(attrs["model"]),
        preset=str(attrs["preset"]),
        seed=int(attrs["seed"]),
        attrs=MappingProxyType(dict(attrs)),
        group=group,
    )
