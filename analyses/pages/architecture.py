"""Which packages is dva-lens made of, and which import which?

python -m dva_lens.analyses.pages.architecture [--out docs]
"""

import argparse
import ast
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dva_lens.writing import write_text

ROOT = Path(__file__).parents[2]
PICTURE = "images/imports.svg"
BESIDE = ("app", "analyses")
"""Folders beside the package that are installed as parts of it."""
_WIDTH, _BOX, _HIGH, _GAP = 880, 120, 30, 34
INTRODUCTION = f"""# Architecture

Made from the import contracts and from the imports themselves by
`python -m dva_lens.analyses.pages.architecture`.

Imports point down: a part may import what stands below it, never what stands beside or above, and
`make contracts` refuses any other direction. Parts in one row do not know each other.

![Packages in rows, with a line for every import between them]({PICTURE})

A number goes one way: a model runs (*models*, made of *mechanisms* on *kernels*) while *recording*
watches and hands over numpy arrays (*records*, taken at *sites*); *statistics* are computed from
them without sight of the model; *measuring* puts them on labelled *axes*; *results* writes and
reads archives and takes every mean and interval; *views*, *reports* and the explorer (*app*) draw
what results say. *plugins* lets modules from outside add to any table.
"""


class Component(NamedTuple):
    """One package or module of a row: its name, and what its docstring says first."""

    name: str
    meaning: str


def layers(root: Path = ROOT) -> list[list[Component]]:
    """Return the parts of the package by row, the highest first, as the contracts order them."""
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]
    below = next(each for each in contracts["contracts"] if each.get("exhaustive"))["layers"]
    rows = [[name.strip() for name in row.split("|")] for row in below]
    rows.insert(1, list(BESIDE))
    return [[Component(name, _meaning(root, name)) for name in row] for row in rows]


def imports(root: Path, names: Sequence[str]) -> set[tuple[str, str]]:
    """Return which part imports which, lazily or not, each pair once."""
    found = set()
    for name in names:
        for path in _files(root, name):
            for target in _targets(ast.parse(path.read_text())):
                words = target.split(".")
                part = words[1] if len(words) > 1 else ""
                if words[0] == "dva_lens" and part in names and part != name:
                    found.add((name, part))
    return found


def picture(rows: Sequence[Sequence[Component]], pairs: set[tuple[str, str]]) -> str:
    """Return the rows as an SVG, with one line for every import between parts."""
    centres = {
        part.name: _centre(row, at, x)
        for row, each in enumerate(rows)
        for at, part, x in ((len(each), part, x) for x, part in enumerate(each))
    }
    height = len(rows) * (_HIGH + _GAP) + _GAP
    lines = [
        f'<path d="M{x0:.0f} {y0 + _HIGH / 2:.0f} C{x0:.0f} {(y0 + y1) / 2:.0f}, '
        f'{x1:.0f} {(y0 + y1) / 2:.0f}, {x1:.0f} {y1 - _HIGH / 2:.0f}"/>'
        for (x0, y0), (x1, y1) in ((centres[a], centres[b]) for a, b in sorted(pairs))
    ]
    boxes = [
        f'<rect x="{x - _BOX / 2:.0f}" y="{y - _HIGH / 2:.0f}" width="{_BOX}" height="{_HIGH}" '
        f'rx="5"/><text x="{x:.0f}" y="{y + 5:.0f}">{name}</text>'
        for name, (x, y) in centres.items()
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            'role="img" aria-label="Imports between the packages of dva-lens">',
            "<style>rect{fill:#eef3f8;stroke:#3a6ea5}path{fill:none;stroke:#3a6ea5;"
            "stroke-opacity:.3}text{font:14px sans-serif;text-anchor:middle;fill:#1b2a3a}</style>",
            f'<rect width="{_WIDTH}" height="{height}" style="fill:#fff;stroke:none"/>',
            *lines,
            *boxes,
            "</svg>\n",
        ]
    )


def page(rows: Sequence[Sequence[Component]]) -> str:
    """Return the page: introduction, picture, and one line for every part."""
    lines = [f"| `{part.name}` | {part.meaning} |" for row in rows for part in row]
    return "\n".join([INTRODUCTION, "| part | what it is |", "|---|---|", *lines]) + "\n"


def written(root: Path = ROOT) -> Mapping[str, str]:
    """Return the files of the page by their path within the folder of the documentation."""
    rows = layers(root)
    pairs = imports(root, [part.name for row in rows for part in row])
    return {"architecture.md": page(rows), PICTURE: picture(rows, pairs)}


def _centre(row: int, parts: int, place: int) -> tuple[float, float]:
    step = _WIDTH / parts
    return step * (place + 0.5), _GAP + row * (_HIGH + _GAP) + _HIGH / 2


def _files(root: Path, name: str) -> Iterator[Path]:
    folder = root / name if name in BESIDE else root / "dva_lens" / name
    if folder.is_dir():
        yield from sorted(folder.rglob("*.py"))
    else:
        yield folder.with_suffix(".py")


def _meaning(root: Path, name: str) -> str:
    file = next(iter(sorted(_files(root, name), key=lambda each: each.name != "__init__.py")))
    return (
        (ast.get_docstring(ast.parse(file.read_text())) or "").split("\n\n")[0].replace("\n", " ")
    )


def _targets(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def main(words: Sequence[str] | None = None) -> int:
    """Write the page and its picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    for name, text in written().items():
        write_text(parser.parse_args(words).out / name, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
