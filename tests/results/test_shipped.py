import shutil
import zipfile
from pathlib import Path

import pytest
from fakes import fake_archive

from dva_lens.results import shipped
from dva_lens.results.archive import open_archive
from dva_lens.results.schema import ArchiveError


def pack(folder, models):
    """Pack fake runs as they come with the package, one file each; return the files."""
    made = fake_archive(folder, models=models, seeds=1)
    (shipped.PLACE / "known").mkdir(parents=True, exist_ok=True)
    return [
        Path(shutil.make_archive(str(shipped.PLACE / "known" / path.name), "zip", made, where))
        for path in (made / "archive.zarr" / "runs").iterdir()
        if path.is_dir()
        for where in [path.relative_to(made)]
    ]


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """The one run of results called `known`, which come with the package; its cache is empty."""
    monkeypatch.setattr(shipped, "PLACE", tmp_path / "package")
    monkeypatch.setenv("DVA_LENS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (file,) = pack(tmp_path / "made", ["transformer"])
    return file


@pytest.mark.usefixtures("packed")
def test_results_are_opened_by_name_and_unpacked_once(tmp_path, monkeypatch):
    first = open_archive("known")
    assert [run.label for run in first.runs] == ["transformer-0"]
    assert first.folder.parent == tmp_path / "cache"
    assert list(first.folder.parent.iterdir()) == [first.folder]
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert open_archive("known").folder == first.folder
    with pytest.raises(ArchiveError, match="There is no folder other"):
        open_archive("other")


@pytest.mark.usefixtures("packed")
def test_other_content_has_another_folder(tmp_path):
    first = open_archive("known").folder
    pack(tmp_path / "other", ["dva"])
    second = open_archive("known")
    assert [run.label for run in second.runs] == ["dva-0", "transformer-0"]
    assert second.folder != first


@pytest.mark.usefixtures("packed")
def test_a_folder_of_the_same_name_is_ambiguous(tmp_path):
    folder = fake_archive(tmp_path / "known", models=("dva",), seeds=1)
    with pytest.raises(ArchiveError, match=f"and of a folder here; pass {folder} for the folder"):
        open_archive("known")
    assert open_archive(folder).runs[0].label == "dva-0"


def test_a_damaged_file_leaves_nothing_behind(packed, tmp_path):
    with packed.open("r+b") as stream:
        stream.truncate(200)
    with pytest.raises(ArchiveError, match=rf"{packed} is damaged .* install that again"):
        open_archive("known")
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_room_the_folder_is_named(packed, tmp_path, monkeypatch):
    packed.touch()
    (tmp_path / "full").touch()
    monkeypatch.setenv("DVA_LENS_CACHE", str(tmp_path / "full"))
    with pytest.raises(ArchiveError, match=r"cannot be unpacked into .*full: .* with room"):
        open_archive("known")


def test_a_second_process_may_be_faster(packed, tmp_path):
    folder = tmp_path / "cache" / "known-there"
    folder.mkdir(parents=True)
    (folder / "file").touch()
    shipped._unpack([packed], folder)
    assert [path.name for path in folder.iterdir()] == ["file"]
    assert list(folder.parent.iterdir()) == [folder]
