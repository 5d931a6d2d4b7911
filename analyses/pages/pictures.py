"""The pictures of the README and the documentation: the explorer of the reference results.

python -m dva_lens.analyses.pages.pictures [--out docs/images]
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from dva_lens import axes
from dva_lens.results.archive import Archive, open_archive
from dva_lens.results.schema import EDGES

from ..benchmarks.chromium import CHROMIUM, FLAGS
from ..benchmarks.explorer_server import started

ARCHIVE = "reference"
HEADS = (axes.MODEL, axes.SEED, axes.LAYER, axes.HEAD)
WIDE, SCALE = 1280, 1.5
QUIET_AFTER = 2500
"""Milliseconds that a page gets to draw what it asked for."""


@final
@dataclass(frozen=True)
class Picture:
    """A page of the explorer by its address, and how much of it is shown from the top."""

    name: str
    address: str
    high: int


def pictures(archive: Archive) -> tuple[Picture, ...]:
    """Return what is taken: what the models show, and a text as a head with a sink reads it."""
    run, layer, head = strongest(archive)
    chosen = f"run={run}&layer={layer}&head={head}"
    return (
        Picture("overview", "/", 800),
        Picture("tokens", f"/tokens?{chosen}&token=100", 860),
    )


def strongest(archive: Archive) -> tuple[str, int, int]:
    """Return run, layer and head of the largest weight on the first key among texts kept."""
    kept = [run for run in archive.runs if set(EDGES) & set(archive.dataset(run).data_vars)]
    values = archive.values("first_key_mass")
    values = values.mean([name for name in values.dims if name not in HEADS])
    found: dict[tuple[str, int, int], float] = {}
    for run in kept:
        own = values.sel({axes.MODEL: run.model, axes.SEED: run.seed})
        place = own.argmax(...)
        layer, head = (int(place[name]) for name in (axes.LAYER, axes.HEAD))
        found[run.label, layer, head] = float(own.max())
    return max(found, key=lambda each: found[each])


def take(folder: Path) -> list[Path]:
    """Take every picture and return the files."""
    from playwright.sync_api import sync_playwright  # only for whoever writes the documentation

    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with started(Path(ARCHIVE)) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        for picture in pictures(open_archive(ARCHIVE)):
            size = {"width": WIDE, "height": picture.high}
            page = browser.new_page(viewport=size, device_scale_factor=SCALE)  # type: ignore[arg-type]
            page.goto(f"{server.address}{picture.address}", wait_until="networkidle")
            page.wait_for_timeout(QUIET_AFTER)
            made.append(folder / f"{picture.name}.png")
            page.screenshot(path=made[-1])
        browser.close()
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the pictures from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, default=Path("docs/images"), help="folder")
    for file in take(parser.parse_args(arguments).out):
        sys.stdout.write(f"{file}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
