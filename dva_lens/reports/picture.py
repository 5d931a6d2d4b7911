"""The picture of the README: part of a real report, as a browser shows it.

python -m dva_lens.reports.picture runs/quick docs/images/report.png
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from dva_lens.reports.report import write_report

CHROMIUM = os.environ.get("LENS_CHROMIUM", "/usr/bin/chromium")
FIRST, LAST = "#at-a-glance", "#normalised-entropy-by-depth"
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
_WIDE, _HIGH, _EDGE = 1080, 1400, 28


def take(folder: Path, out: Path) -> Path:
    """Write the report of an archive, open it, and take a picture of its first numbers.

    Raises
    ------
    ModuleNotFoundError
        The package playwright is not installed.
    ValueError
        The report lacks one of the sections that the picture shows.
    """
    try:
        from playwright.sync_api import sync_playwright  # only for whoever writes the README
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "The picture is taken with playwright, which is not installed; get it with "
            "`pip install 'dva-lens[dev]'`."
        ) from error
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        page_file = write_report(folder, Path(place).resolve() / "report.html")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        page = browser.new_page(
            viewport={"width": _WIDE, "height": _HIGH}, device_scale_factor=1.5
        )
        page.goto(page_file.as_uri())
        page.locator(f"{LAST} .main-svg").first.wait_for()
        top = page.locator(FIRST).bounding_box()
        bottom = page.locator(LAST).bounding_box()
        if top is None or bottom is None:
            raise ValueError(f"The report of {folder} does not show {FIRST} and {LAST}.")
        clip: Any = {
            "x": top["x"] - _EDGE,
            "y": top["y"] - _EDGE,
            "width": max(top["width"], bottom["width"]) + 2 * _EDGE,
            "height": bottom["y"] + bottom["height"] - top["y"] + 2 * _EDGE,
        }
        page.screenshot(path=out, clip=clip, full_page=True)
        browser.close()
    return out


def main(arguments: list[str] | None = None) -> int:
    """Take the picture from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a study")
    parser.add_argument("out", type=Path, help="the PNG file to write")
    given = parser.parse_args(arguments)
    sys.stdout.write(f"{take(given.folder, given.out)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
