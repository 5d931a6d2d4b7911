"""What can be drawn: every view of the table, from one archive.

python -m dva_lens.analyses.pages.gallery runs/quick [--out docs]
"""

import argparse
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dva_lens.reports.drawing import save
from dva_lens.results.archive import Archive, open_archive
from dva_lens.results.schema import BY_QUERY, ArchiveError
from dva_lens.views import VIEWS
from dva_lens.views.table import View
from dva_lens.writing import write_text

FOLDER = "images/gallery"
INTRODUCTION = """# Gallery

Made from the table of views by `python -m dva_lens.analyses.pages.gallery DIR`.

Every view draws labelled data and nothing else: an archive, a measurement, or several measurements
by name. Each figure carries its interval, its reference and a caption that says what is estimated
from how many texts, and its numbers are at hand as a table (`dva_lens.views.as_table`).
"""


def data_of(archive: Archive, view: View) -> Any:
    """Return what a view draws, from an archive."""
    if view.of == "training":
        return archive.trainings()
    if view.of == "queries":
        return _of_queries(archive, view)
    return archive.on()


def _of_queries(archive: Archive, view: View) -> Any:
    """Return the measurement of the first run that keeps what a view of single queries needs."""
    for run in archive.runs:
        held = archive.dataset(run, archive.texts_of(run)[0])
        if all(name in held or name + BY_QUERY in held for name in view.needs):
            return held
    raise ArchiveError(
        f"No run of {archive.folder} keeps {' and '.join(view.needs)} of single queries; measure "
        f"again with edges and a model that has it."
    )


def sections(archive: Archive, views: Mapping[str, View], folder: Path) -> Iterator[str]:
    """Draw every view into a folder and yield its section of the page."""
    for name, view in views.items():
        figure = view.function(data_of(archive, view))
        save(figure, folder / f"{name}.svg")
        summary = (inspect.getdoc(view.function) or "").split("\n\n")[0].replace("\n", " ")
        yield (
            f"\n## {view.title}\n\n*{view.question}* `lens.views.{name}(data)`: {summary}\n\n"
            f"![{view.title}]({FOLDER}/{name}.svg)\n"
        )


def main(words: Sequence[str] | None = None) -> int:
    """Write the page and its pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("archive", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    asked = parser.parse_args(words)
    folder = asked.out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join([INTRODUCTION, *sections(open_archive(asked.archive), VIEWS, folder)])
    write_text(asked.out / "gallery.md", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
