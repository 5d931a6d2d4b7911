"""A copy of what users had before names changed, and the numbers they had."""

import json
import shutil
import tarfile
from pathlib import Path

import pytest

V1 = Path(__file__).parents[1] / "fixtures" / "v1"
FILES = ("small.yaml", "half.yaml", "plan.yaml", "text.txt")


@pytest.fixture(scope="session")
def expected():
    """What the code of then gave."""
    return json.loads((V1 / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def checkpoints():
    """The folder of checkpoints of format 1."""
    return V1 / "checkpoints"


def unpack(name, place):
    with tarfile.open(V1 / f"{name}.tar.xz") as packed:
        packed.extractall(place, filter="data")
    for file in FILES:
        shutil.copy(V1 / file, place)
    return place


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """The folder that holds the finished study `small`; to read only."""
    return unpack("small", tmp_path_factory.mktemp("v1"))


@pytest.fixture
def half(tmp_path, monkeypatch):
    """The folder that holds the study `half`, killed in its second run; it is the current one."""
    monkeypatch.chdir(unpack("half", tmp_path))
    return tmp_path
