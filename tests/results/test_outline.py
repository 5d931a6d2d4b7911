"""What menus read of a group is what opening it says, and a damaged one is named."""

from pathlib import Path

import numpy as np
import pytest
from fakes import fake_archive

from dva_lens.results.archive import open_archive
from dva_lens.results.schema import ArchiveError, statistics_of


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    return open_archive(fake_archive(folder, models=("dva",), seeds=1))


def test_an_outline_says_what_opening_says(archive):
    (run,) = archive.runs
    outline, opened = archive.outline(run, "held-out"), archive.dataset(run, "held-out")
    assert outline.statistics == statistics_of(opened)
    assert set(outline.variables) == set(opened.variables)
    assert outline.sizes == dict(opened.sizes)
    for name, variable in outline.variables.items():
        assert variable.dims == opened[name].dims
        assert dict(opened[name].attrs).items() <= dict(variable.attrs).items()
    for name in ("rows", "threshold", "source"):
        np.testing.assert_array_equal(outline.values(name), opened[name].values)


@pytest.mark.parametrize(
    ("damage", "said"),
    [(b"{", "cannot be read: JSONDecodeError"), (b"{}", "cannot be read: KeyError")],
)
def test_a_damaged_description_is_named(tmp_path, damage, said):
    folder = fake_archive(tmp_path, models=("dva",), seeds=1)
    (run,) = open_archive(folder).runs
    group = folder / "archive.zarr" / "runs" / run.key / "held-out"
    (group / "entropy" / "zarr.json").write_bytes(damage)
    with pytest.raises(ArchiveError, match=f"held-out of .* {said}"):
        open_archive(folder).outline(run, "held-out")


def test_numbers_that_were_cut_are_named(tmp_path):
    folder = fake_archive(tmp_path, models=("dva",), seeds=1)
    (run,) = open_archive(folder).runs
    chunks = folder / "archive.zarr" / "runs" / run.key / "held-out" / "rows" / "c"
    for file in filter(Path.is_file, chunks.rglob("*")):
        file.write_bytes(b"cut")
    with pytest.raises(ArchiveError, match=r"rows of .* cannot be read"):
        open_archive(folder).outline(run, "held-out").values("rows")
