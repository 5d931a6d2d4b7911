"""The folder of a study: one study, one writer at a time, nothing of somebody else's."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dva_lens.results.archive import scan
from dva_lens.results.schema import ARCHIVE, PARTIAL
from dva_lens.results.writer import recover
from dva_lens.study.definition import Study

STUDY = "study.json"
LOCK = "lock"
_MAY_DIFFER = ("name", "presets", "seeds", "probes", "save_every")


@contextmanager
def claimed(folder: Path, study: Study | None = None) -> Iterator[None]:
    """Hold a folder while writing to it; refuse one that is another's, or being written.

    A study may add presets, seeds and probes to its own folder; what decides how models are
    trained and measured must be as before.
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
    """Refuse a place that is a file, or a folder that holds something else than an archive."""
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


def _leave_name(file: Path, study: Study) -> None:
    now = study.to_dict()
    if file.is_file() and scan(file.parent).runs:
        _check_same(file, _read(file), now)
    draft = file.with_suffix(".json.partial")
    draft.write_text(json.dumps(now, indent=2) + "\n", encoding="utf-8")
    draft.replace(file)


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is damaged ({error}); delete it, the runs stay.") from error
    if not isinstance(found, dict):
        raise TypeError(f"{file} does not describe a study; delete it, the runs stay.")
    return found


def _check_same(file: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    changed = [
        f"{key} {before.get(key)} -> {value}"
        for key, value in now.items()
        if key not in _MAY_DIFFER and before.get(key) != value
    ]
    if changed:
        raise ValueError(
            f"{file.parent} holds another study ({'; '.join(changed)}); choose another --out, or "
            f"pass the study as it was."
        )
