"""The list of planted faults stays true: `make planted` runs it, this looks at it."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def planted():
    spec = importlib.util.spec_from_file_location("planted", Path(__file__).with_name("run.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_fault_has_its_line_and_its_test(planted):
    listed = planted.faults()
    assert len(listed) >= 10
    assert planted.problems(listed, ROOT) == []


def test_a_list_that_went_stale_is_seen(planted):
    good = planted.faults()[0]
    stale = [
        good,
        good._replace(old="no such line"),
        good._replace(name="same", new=good.old),
        good._replace(name="gone", test="tests/test_names.py::test_nothing"),
    ]
    assert planted.problems(stale, ROOT) == [
        "two share a name",
        f"{good.name}: `old` stands 0 times in {good.path}",
        "same: nothing changes",
        "gone: there is no test tests/test_names.py::test_nothing",
    ]
