"""The folder of a study: one study, one writer at a time, nothing of somebody else's."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xarray as xr
from filelock import FileLock, Timeout

from dva_lens.files import read_json
from dva_lens.results.archive import Archive, scan
from dva_lens.results.schema import (
    ARCHIVE,
    CATALOGUE,
    PARTIAL,
    SCHEMA_VERSION,
    ArchiveError,
)
from dva_lens.results.writer import move_run, recover, write_catalogue, write_run
from dva_lens.study.definition import Study
from dva_lens.study.texts import Texts
from dva_lens.writing import write_text

STUDY = "study.json"
LOCK = "lock"
LARGEST_CATALOGUE = 1 << 30
RATES = "learning_rates"
_MAY_DIFFER = (
    "name",
    "presets",
    "seeds",
    "texts",
    "statistics",
    "save_every",
    "text",
    "text_sha256",
    "parts",
)
"""What does not decide how models are trained and measured; of the text its content does."""


@contextmanager
def claimed(folder: Path, study: Study | None = None) -> Iterator[None]:
    """Hold a folder while writing to it; refuse one that is another's, or being written.

    A study may add presets, seeds, texts and statistics to its own folder; what decides how
    models are trained and measured must be as before.

    Raises
    ------
    FileExistsError
        The folder is a file, or holds something else than an archive.
    RuntimeError
        Another process is writing to it.
    ValueError
        It holds another study; the message says in which keys they differ.
    """
    refuse_foreign(folder)
    partial = folder / PARTIAL
    partial.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(partial / LOCK, timeout=0):
            recover(folder)
            if study is not None:
                _leave_name(folder / STUDY, study)
            yield
    except Timeout as error:
        raise RuntimeError(
            f"{folder} is being written by another process; wait for it, or choose another --out."
        ) from error


def refuse_foreign(folder: Path) -> None:
    """Refuse a place that is a file, or a folder that holds something else than an archive.

    Raises
    ------
    FileExistsError
        It is one of these.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; --out names a folder, new or of this study.")
    if not folder.is_dir():
        return
    held = sorted(path.name for path in folder.iterdir())
    ours = {STUDY, ARCHIVE, PARTIAL}
    if held and ours.isdisjoint(held):
        raise FileExistsError(
            f"{folder} holds something else ({', '.join(held[:3])}); --out names a folder that "
            f"is new, empty or of this study."
        )


def check_text(archive: Archive, texts: Texts, part: str = "") -> None:
    """Refuse to add to runs of a part that read another text, wherever its file is now.

    Raises
    ------
    ValueError
        The content of the text, or how it is cut into tokens, is not what it was.
    """
    for run in archive.runs:
        if "recipe" not in run.attrs or run.attrs.get("part", "") != part:
            continue
        before = json.loads(run.attrs["provenance"])
        if before["text_sha256"] != texts.sha256:
            raise ValueError(
                f"{run.label} in {archive.folder} was trained on another text ({before['text']}, "
                f"sha256 {before['text_sha256'][:12]}) than {texts.name} is now (sha256 "
                f"{texts.sha256[:12]}); restore that text, or choose another --out."
            )


def measurements_of(archive: Archive, key: str) -> dict[str, xr.Dataset]:
    """Return what a run was measured to be, text by text: nothing of a run that is not there.

    Measurements that are damaged are left out.
    """
    found: dict[str, xr.Dataset] = {}
    for text in archive.texts_of(key) if any(run.key == key for run in archive.runs) else ():
        try:
            found[text] = archive.dataset(key, text)
        except ArchiveError:
            continue
    return found


def keep_run(
    folder: Path,
    key: str,
    *,
    attrs: Mapping[str, Any],
    measurements: Mapping[str, xr.Dataset],
    training: xr.Dataset | None = None,
    study: Study | None = None,
) -> None:
    """Write a run into the archive of a folder that is claimed, and the catalogue anew."""
    write_run(folder, key, attrs=attrs, measurements=measurements, training=training)
    write_catalogue(folder, _catalogue(folder, study))


def adopt_run(folder: Path, key: str, group: Path, study: Study) -> None:
    """Move a run that was written elsewhere into a folder that is claimed, and list it there."""
    move_run(folder, key, group)
    write_catalogue(folder, _catalogue(folder, study))


def renew_catalogue(folder: Path, study: Study) -> None:
    """Write the catalogue anew where a process died before it could."""
    due = json.loads(json.dumps(_catalogue(folder, study)))
    try:
        held = read_json(folder / CATALOGUE, limit=LARGEST_CATALOGUE)
    except (FileNotFoundError, ValueError):
        held = {}
    if held != due and due["runs"]:
        write_catalogue(folder, due)


def _catalogue(folder: Path, study: Study | None) -> dict[str, Any]:
    about = {} if study is None else {"study": study.to_dict()}
    rows = [dict(row) for row in scan(folder).catalogue]
    return {"schema": SCHEMA_VERSION, **about, "runs": rows}


def _leave_name(file: Path, study: Study) -> None:
    now = study.to_dict()
    if file.is_file() and scan(file.parent).runs:
        _check_same(file, now)
    write_text(file, json.dumps(now, indent=2) + "\n")


def _check_same(file: Path, now: Mapping[str, Any]) -> None:
    try:
        found = read_json(file)
    except ValueError as error:
        raise ValueError(f"{file} is damaged ({error}); delete it, the runs stay.") from error
    before = _parts({Study.former.get(key, key): value for key, value in found.items()})
    changed = [
        f"{path}: {_said(then)} -> {_said(value)}"
        for name, part in _parts(now).items()
        for key in part
        if key not in _MAY_DIFFER and name in before
        for path, then, value in differences(
            f"{name}.{key}" if name else key,
            before[name].get(key, Study.model_fields[key].default),
            part[key],
        )
        if key != RATES or path.rpartition(".")[2] in before[name]["presets"]
    ]
    if changed:
        raise ValueError(
            f"{file.parent} holds another study ({', '.join(changed)}); choose another --out, or "
            f"pass the study as it was."
        )


def _parts(study: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the parts of a study given as plain values by name, the first without one."""
    return {"": study, **{part["name"]: part for part in study.get("parts", ())}}


def differences(path: str, before: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the places in which two plain values differ, with what each holds there."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys((*before, *now)):
            yield from differences(f"{path}.{key}", before.get(key), now.get(key))
    elif before != now:
        yield path, before, now


def _said(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value)
