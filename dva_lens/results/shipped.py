"""Results that come with the package: archives that are opened by name, without a folder.

Each is a folder of packed runs beside this module, one file per run. Opened for the first time,
they are unpacked into the cache of the user, under a name that their content decides; what was
unpacked is never written to.
"""

import hashlib
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from dva_lens.files import cache_folder
from dva_lens.results.schema import ArchiveError
from dva_lens.results.writer import create_archive

PLACE = Path(__file__).parent / "shipped"


def shipped_names() -> tuple[str, ...]:
    """Return the names of the results that come with the package."""
    return tuple(sorted({file.parent.name for file in PLACE.glob("*/*.zip")}))


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
    files = sorted((PLACE / name).glob("*.zip"))
    content = hashlib.sha256()
    for file in files:
        content.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    folder = cache_folder() / f"{name}-{content.hexdigest()[:12]}"
    if not folder.is_dir():
        _unpack(files, folder)
    return folder


def _unpack(files: Sequence[Path], folder: Path) -> None:
    """Unpack runs into a folder that appears whole; another process may be as fast."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            create_archive(draft)
            for file in files:
                _unpack_run(file, draft)
            _put(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise ArchiveError(
            f"The results that come with dva-lens cannot be unpacked into {folder.parent}: "
            f"{error}; set $DVA_LENS_CACHE to a folder with room."
        ) from error


def _unpack_run(file: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(file) as packed:
            packed.extractall(folder)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ArchiveError(
            f"{file} is damaged ({error}); it comes with dva-lens, so install that again."
        ) from error


def _put(draft: Path, folder: Path) -> None:
    try:
        draft.replace(folder)
    except OSError:
        if not folder.is_dir():
            raise
