"""The examples of docstrings run as they stand, in a folder where a small study was run."""

import doctest
import inspect
import tarfile
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STUDY = ROOT / "tests" / "fixtures" / "v1" / "small.tar.xz"
# What users call most: each of these shows how.
SHOWN = {
    "dva_lens": "load measure measure_control open_archive findings sinks edges",
    "dva_lens.diagnostics.ablation": "head_importance",
    "dva_lens.diagnostics.layers": "layer_similarity",
    "dva_lens.diagnostics.sinks": "sink_atlas",
    "dva_lens.measuring.closeup": "top_edges pattern_tiles",
    "dva_lens.measuring": "describe",
    "dva_lens.models.config": "ModelConfig",
    "dva_lens.models.decoder": "build",
    "dva_lens.models.presets": "preset",
    "dva_lens.recording": "record attach from_patterns from_qk from_cache",
    "dva_lens.results.archive": "Archive.on Archive.values",
    "dva_lens.results.compare": "compare",
    "dva_lens.results.estimates": "estimate",
    "dva_lens.results.reader": "Measurements.values",
    "dva_lens.views": "depth_profile layer_head_map span_profile token_lane as_table",
}


def modules_with_examples():
    """Return the names of all modules of the package that hold an example."""
    found = [path for path in (ROOT / "dva_lens").rglob("*.py") if ">>> " in path.read_text()]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in found]
    return sorted(name.removesuffix(".__init__") for name in names)


def failures(module):
    """Return what went wrong in the examples of a module."""
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module):
        runner.run(test, out=said.append)
    return "".join(said)


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """Return a folder that holds the study `runs/quick`."""
    folder = tmp_path_factory.mktemp("examples")
    with tarfile.open(STUDY) as packed:
        packed.extractall(folder, filter="data")
    (folder / "runs").mkdir()
    (folder / "small").rename(folder / "runs" / "quick")
    return folder


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_run(name, studied, monkeypatch):
    monkeypatch.chdir(studied)
    assert failures(import_module(name)) == ""


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module in SHOWN for name in SHOWN[module].split()]
)
def test_what_is_used_most_shows_how(module, name):
    found = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    words = inspect.getdoc(found)
    assert "\n\nExamples\n--------\n" in words
    assert ">>> " in words


def test_an_example_that_is_wrong_is_seen():
    module = type(doctest)("wrong", "A sum.\n\n>>> 1 + 1\n3\n")
    assert "Expected:\n    3\nGot:\n    2" in failures(module)
