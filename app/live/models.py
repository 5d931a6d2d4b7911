"""The models that may be run: those an archive kept, and those named when the server started."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from dva_lens.results.archive import Archive
from dva_lens.results.schema import CHECKPOINTS

CONFIG = "config.json"


@final
@dataclass(frozen=True)
class NamedModel:
    """A model as readers choose it, and what the command line is called with."""

    name: str
    place: str


def models_of(archive: Archive, named: Sequence[str]) -> dict[str, NamedModel]:
    """Return the models that may be run, by the names under which they are offered.

    Those named at the start come first. A checkpoint counts only inside the archive's own folder
    of checkpoints, whatever the archive says its runs are called.

    Raises
    ------
    FileNotFoundError
        A model is named by a path, and nothing is there.
    """
    found: dict[str, NamedModel] = {}
    for place in named:
        _add(found, _short(place), _checked(place))
    kept = (archive.folder / CHECKPOINTS).resolve()
    for run in archive.runs:
        folder = archive.checkpoint(run).resolve()
        if folder.parent == kept and (folder / CONFIG).is_file():
            _add(found, run.label, str(folder))
    return found


def _add(found: dict[str, NamedModel], name: str, place: str) -> None:
    """Add a model under its name, or under a longer one where another has it."""
    number, own = 1, name
    while own in found:
        number += 1
        own = f"{name} ({number})"
    found[own] = NamedModel(own, place)


def _short(place: str) -> str:
    """Return the last part of a path or of a name on the hub."""
    path = Path(place).expanduser()
    return (path.resolve() if path.exists() else path).name.removesuffix(".gguf") or place


def _checked(place: str) -> str:
    """Return a path made absolute, or the name of a model on the hub."""
    path = Path(place).expanduser()
    if path.exists():
        return str(path.resolve())
    if place.startswith((".", "/", "~", "-")) or place.count("/") > 1 or not place.strip():
        raise FileNotFoundError(
            f"There is no folder or file {place!r} to load a model from; --model takes a "
            f"checkpoint folder, a GGUF file or the name of a Hugging Face model."
        )
    return place
