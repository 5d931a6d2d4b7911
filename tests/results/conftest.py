import pytest
from fakes import fake_archive


@pytest.fixture(scope="session")
def archive_folder(tmp_path_factory):
    """An archive of two fake models with one seed; tests that spoil it copy it first."""
    return fake_archive(tmp_path_factory.mktemp("study"), models=("transformer", "dva"), seeds=1)
