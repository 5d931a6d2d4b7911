"""What scripts about one archive share: what they need, a page, and how to say what is wrong."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dva_lens.reports.files import write_figures, write_page
from dva_lens.reports.material import Material
from dva_lens.reports.page import Report
from dva_lens.reports.questions import answer_of_parts
from dva_lens.results.archive import Archive, open_archive
from dva_lens.results.schema import ArchiveError


def need(material: Material, *statistics: str, of: str = "primary") -> None:
    """Refuse an archive whose trainings were not all measured with some statistics.

    `of` says which set to measure with, which holds them.

    Raises
    ------
    ArchiveError
        The archive lacks a statistic that the question is about.
    """
    missing = [name for name in statistics if name not in material.statistics]
    if missing:
        raise ArchiveError(
            f"{material.archive.folder} was measured without {', '.join(missing)}, which this "
            f"question is about; measure it again with the {of} statistics."
        )


def answered(
    name: str,
    about: str | None,
    report: Callable[[Archive], Report],
    arguments: Sequence[str] | None,
    *,
    figures: bool = False,
) -> int:
    """Answer the question of a script from the command line; 0 if it could be answered, else 1.

    `name` is that of the script and of its page; parts of a study are asked one by one. Where it
    draws `figures`, they can be had as files.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m dva_lens.analyses.{name}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a study")
    parser.add_argument("--out", type=Path, default=Path(f"{name}.html"))
    if figures:
        parser.add_argument("--figures", action="store_true", help="also write SVG, PDF and CSV")
    given = parser.parse_args(arguments)
    try:
        page = answer_of_parts(open_archive(given.folder), report)
        written = write_page(page, given.out)
        if figures and given.figures:
            write_figures(page, written.with_suffix(""))
    except (ArchiveError, OSError, ModuleNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"Report: {written}\n")
    return 0
