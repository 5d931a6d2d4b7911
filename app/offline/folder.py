"""The folder that pages are exported to: a new one, an empty one, or one that was exported to."""

import shutil
from pathlib import Path

from dva_lens.writing import write_text

from .names import CHOICES, DATA, PROGRAM


def pages_folder(place: Path) -> Path:
    """Return a folder to export to, emptied of what was exported to it before, and marked as ours.

    The mark says that the pages are not whole yet, until it is written anew.

    Raises
    ------
    ValueError
        There is a file at the place, or a folder that holds something else.
    """
    if place.exists() and not place.is_dir():
        raise ValueError(f"{place} is a file, and pages are exported to a folder; name another.")
    if place.exists() and any(place.iterdir()) and not (place / CHOICES).is_file():
        raise ValueError(
            f"{place} holds something else than exported pages, which would be mixed with them; "
            f"name a new folder or an empty one."
        )
    for page in place.glob("*.html"):
        page.unlink()
    for known in (DATA, PROGRAM):
        shutil.rmtree(place / known, ignore_errors=True)
    (place / DATA).mkdir(parents=True)
    write_text(place / CHOICES, "lensChoices = null;\n")
    return place
