"""The package as a whole: how fast it opens, what it offers, and how it is laid out."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import dva_lens

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.strip()


def test_importing_the_package_brings_in_nothing_heavy():
    heavy = run(
        "import sys, dva_lens;"
        "print([m for m in ('torch','numpy','xarray','plotly','dash','transformers')"
        " if m in sys.modules])"
    )
    assert heavy == "[]"


@pytest.mark.parametrize(
    "module",
    [
        "dva_lens.results.archive",
        "dva_lens.views",
        "dva_lens.statistics.table",
        "dva_lens.reports.report",
        "dva_lens.app",
    ],
)
def test_reading_starts_without_what_takes_long_to_import(module):
    slow = "{'torch', 'scipy.stats', 'latex2mathml.converter', 'matplotlib'}"
    assert run(f"import sys, {module}; print({slow} & set(sys.modules))") == "set()"


def test_models_of_this_package_need_no_models_of_transformers():
    for module in ("dva_lens.study.runner", "dva_lens.measuring", "dva_lens.loading"):
        assert run(
            f"import sys, {module}; print('transformers.modeling_utils' in sys.modules)"
        ) == ("False")


def test_an_unknown_name_says_what_there_is():
    with pytest.raises(AttributeError, match=r"no attribute 'mesure'; it offers .*measure"):
        _ = dva_lens.mesure


def test_every_folder_of_code_is_packaged():
    mapped = PROJECT["tool"]["setuptools"]["package-dir"]
    folders = {"dva_lens": ROOT / "dva_lens"} | {k: ROOT / v for k, v in mapped.items()}
    found = {
        ".".join([name, *folder.relative_to(top).parts])
        for name, top in folders.items()
        for init in top.rglob("__init__.py")
        for folder in [init.parent]
    }
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


def test_versions_agree():
    assert PROJECT["project"]["version"] == dva_lens.__version__
    assert f"version: {dva_lens.__version__}" in (ROOT / "CITATION.cff").read_text()
