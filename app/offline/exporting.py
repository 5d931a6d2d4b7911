"""Writing the explorer of an archive as files."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import plotly
from plotly.utils import PlotlyJSONEncoder

from dva_lens import axes
from dva_lens.results.archive import open_archive
from dva_lens.results.schema import ArchiveError
from dva_lens.views import CONFIG
from dva_lens.writing import write_text

from ..library import Library
from ..page import Page
from ..pages import PAGES
from ..pages.overview.findings import found
from ..state import SEQUENCES, Selection
from .choices import IN_THE_BROWSER, SECOND, Choices, choices_of
from .folder import pages_folder
from .keeper import Exporting, Keeper, as_script
from .names import CHOICES, OWN, PLOTLY, PROGRAM, SCRIPTS, STYLES, file_of
from .shell import page_file

ASSETS = Path(__file__).parents[1] / "assets"


@final
@dataclass(frozen=True)
class Exported:
    """What was written: how many pages, how many different figures and texts, and bytes."""

    pages: int
    states: int
    size: int


def export(
    archive: Path | str,
    out: Path,
    *,
    runs: Sequence[str] = (),
    statistics: Sequence[str] = (),
    tell: Callable[[Exporting], None] = lambda _: None,
) -> Exported:
    """Write the explorer of an archive to a folder, as pages that need no Python.

    Readers can choose among `runs` (by default the first of every model) and `statistics`, all
    texts, layers and heads; Live, search and pinned heads need the explorer itself.

    Raises
    ------
    ArchiveError
        The folder holds no archive, or none of its runs can be read.
    ValueError
        A run or statistic is not in the archive, or something else lies in the folder.
    """
    library = Library(open_archive(archive))
    pages = [page for page in PAGES.values() if page.needs_runs]
    first = Selection.from_query("", library.catalogue)
    shown = runs or _told_of(library, first)
    count = max(_displayed(library, run, first.text) for run in shown)
    choices = choices_of(
        library.catalogue, pages, runs=shown, statistics=statistics, sequences=max(count, 1)
    )
    start = first.but(run=shown[0])
    folder = pages_folder(out)
    _copy_program(folder / PROGRAM)
    parts = Keeper(folder, library, choices, start)
    parts.write(pages, tell)
    for page in pages:
        text = page_file(page, pages, library, choices.fit(start, page), choices)
        write_text(folder / file_of(page), text)
    known = as_script(_chosen(pages, choices, start, parts))
    write_text(folder / CHOICES, f"lensChoices = {known};\n")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Exported(len(pages), parts.count, size)


def _told_of(library: Library, first: Selection) -> tuple[str, ...]:
    """Return one run of every model: the one that a finding leads to, or else the first."""
    runs = dict(library.catalogue.first_runs)
    for finding in found(library, first).entries:
        if finding.about == "sink" and finding.place:
            runs[finding.model] = str(finding.place["run"])
    return tuple(runs.values())


def _displayed(library: Library, run: str, text: str) -> int:
    """Return how many sequences of a text a run keeps for display."""
    try:
        return min(library.display(run, text).sizes[axes.SHOWN], SEQUENCES)
    except ArchiveError:
        return 0


def _copy_program(folder: Path) -> None:
    """Copy scripts and styles: those of the explorer, those of these pages, and plotly's."""
    folder.mkdir()
    for name in (*SCRIPTS, *STYLES):
        shutil.copyfile(ASSETS / name, folder / name)
    for name in OWN:
        shutil.copyfile(Path(__file__).parent / name, folder / name)
    shutil.copyfile(Path(plotly.__file__).parent / "package_data" / PLOTLY, folder / PLOTLY)


def _chosen(
    pages: Sequence[Page], choices: Choices, start: Selection, parts: Keeper
) -> dict[str, Any]:
    """Return what the browser has to know: what can be chosen, and where answers are kept."""
    return {
        "first": start.to_query(),
        "fields": choices.fields,
        "sizes": choices.sizes,
        "inTheBrowser": IN_THE_BROWSER,
        "second": SECOND,
        "statistics": choices.statistics,
        "files": {page.path: file_of(page) for page in pages},
        "parts": parts.orders,
        "config": {**CONFIG, "displayModeBar": False},
    }


def _script(value: Any) -> str:
    return json.dumps(value, cls=PlotlyJSONEncoder)
