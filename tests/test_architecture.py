"""What only one place may do, seen in the syntax tree: open archives, and average numbers."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("dva_lens", "app", "analyses")
READER = ROOT / "dva_lens" / "results"
OPENERS = {"zarr", "open_zarr", "open_datatree", "to_zarr"}
MEANS = {"nanmean", "average"}
ASKING = ("app", "dva_lens/reports", "dva_lens/views", "dva_lens/cli")
"""Folders that ask results for every mean."""


def names_in(source):
    """Return every name that a module imports, calls or reaches for, with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0], node.lineno
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield node.attr, node.lineno
        elif isinstance(node, ast.Name):
            yield node.id, node.lineno


def means_in(source):
    """Return every call of a method `mean`, with its line."""
    for node in ast.walk(ast.parse(source)):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr == "mean":
            yield "mean", called.lineno


def found(folders, forbidden, but=None, within=names_in):
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) >= len(folders)
    return [
        f"{file.relative_to(ROOT)}:{line} {name}"
        for file in files
        if but is None or but not in file.parents
        for name, line in within(file.read_text(encoding="utf-8"))
        if name in forbidden
    ]


def test_only_results_open_archives():
    assert found(PACKAGES, OPENERS, but=READER) == []
    assert found(["dva_lens/results"], OPENERS), "the test sees what it looks for"


def test_means_are_made_in_results_alone():
    assert found(ASKING, MEANS) == []
    assert found(ASKING, {"mean"}, within=means_in) == []
    assert found(["dva_lens/results"], {"mean"}, within=means_in), (
        "the test sees what it looks for"
    )


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import zarr.core", "zarr"),
        ("from zarr import open_group", "zarr"),
        ("from xarray import open_zarr as opened", "open_zarr"),
        ("def draw(path):\n    return xr.open_datatree(path)", "open_datatree"),
        ("import numpy as np\nmean = np.nanmean(values, 0)", "nanmean"),
        ("from numpy import average", "average"),
    ],
)
def test_what_is_forbidden_is_seen(source, name):
    assert name in {each for each, _ in names_in(source)}


@pytest.mark.parametrize("source", ["values.mean('head')", "one.sel(layer=2).mean(dims).values"])
def test_a_mean_is_seen_and_a_number_called_mean_is_not(source):
    assert list(means_in(source)) == [("mean", 1)]
    assert not list(means_in("float(estimate.mean)"))
