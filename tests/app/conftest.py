"""One fake archive for all tests of the explorer, and the explorer of it."""

import pytest
from dva_lens.app.library import Library
from dva_lens.app.server import create_app
from dva_lens.app.state import Selection
from fakes import fake_archive

from dva_lens.results.archive import open_archive


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    return fake_archive(folder, models=("transformer", "dva"), edges=True)


@pytest.fixture(scope="session")
def library(folder):
    return Library(open_archive(folder))


@pytest.fixture(scope="session")
def app(folder):
    return create_app(folder)


@pytest.fixture
def client(app):
    return app.server.test_client()


@pytest.fixture
def chosen(library):
    return Selection.from_query("", library.catalogue)
