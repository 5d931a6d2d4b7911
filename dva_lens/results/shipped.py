"""Results that come with the package: archives that are opened by name, without a folder.

Each is one file beside this module. Opened for the first time it is unpacked into the cache of
the user, under a name that its content decides; what was unpacked is never written to.
"""

import hashlib
import shutil
import tempfile
import zipfile
from pathlib import Path

from dva_lens.files import cache_folder
from dva_lens.results.schema import ArchiveError

PLACE = Path(__file__).parent / "shipped"


def shipped_names() -> tuple[str, ...]:
    """Return the names of the results that come with the package."""
    return tuple(sorted(file.stem for file in PLACE.glob("*.zip")))


def shipped_folder(name: Path) -> Path | None:
    """Return the folder of shipped results, None where nothing is shipped under a name.

    Raises
    ------
    ArchiveError
        There is a folder of that name too; the file that is shipped is damaged; or there is no
        room for what it holds.
    """
    if str(name) not in shipped_names():
        return None
    if name.exists():
        raise ArchiveError(
            f"{str(name)!r} is the name of results that come with dva-lens and of a folder here; "
            f"pass {name.absolute()} for the folder, or work elsewhere for the results."
        )
    file = PLACE / f"{name}.zip"
    content = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    folder = cache_folder() / f"{name}-{content}"
    if not folder.is_dir():
        _unpack(file, folder)
    return folder


def _unpack(file: Path, folder: Path) -> None:
    """Unpack a file into a folder that appears whole; another process may be as fast."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            with zipfile.ZipFile(file) as packed:
                packed.extractall(draft)
            _put(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except (OSError, zipfile.BadZipFile) as error:
        raise ArchiveError(
            f"{file.name}, which comes with dva-lens, cannot be unpacked into {folder.parent}: "
            f"{error}; install dva-lens again, or set $DVA_LENS_CACHE to a folder with room."
        ) from error


def _put(draft: Path, folder: Path) -> None:
    try:
        draft.replace(folder)
    except OSError:
        if not folder.is_dir():
            raise
