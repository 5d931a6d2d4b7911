import json
import shutil

import pytest

from dva_lens.results.archive import open_archive, scan
from dva_lens.results.schema import ARCHIVE, CATALOGUE, CHECKPOINTS, RUNS
from dva_lens.study import removal


@pytest.fixture
def folder(study_folder, tmp_path):
    return shutil.copytree(study_folder, tmp_path / "study")


def test_info_says_what_is_there(call, folder):
    result = call("archive", "info", folder)
    assert result.exit_code == 0, result.stderr
    archive = open_archive(folder)
    assert f"{len(archive.runs)} runs of 2 models" in result.stdout
    for run in archive.runs:
        assert f"{run.label} ({run.key})" in result.stdout
        for text in archive.texts_of(run):
            assert f"  {text}: " in result.stdout
    data = archive.dataset("dva-0")
    assert f"of {data.sizes['sequence']} sequences" in result.stdout


def test_a_damaged_run_is_named_and_can_be_removed(call, folder):
    damaged = open_archive(folder).run("dva-0").key
    (folder / ARCHIVE / RUNS / damaged / "zarr.json").write_text("{")
    assert f"{damaged}: cannot be read" in call("archive", "info", folder).stdout
    result = call("archive", "remove", folder, damaged)
    assert result.exit_code == 0, result.stderr
    assert scan(folder).unreadable == {}


def test_a_removed_run_is_gone_with_its_checkpoint_and_the_rest_stays(call, folder):
    before = open_archive(folder)
    checkpoint = folder / CHECKPOINTS / "dva-0"
    checkpoint.mkdir(parents=True, exist_ok=True)
    (checkpoint / "model.safetensors").write_bytes(b"x" * 2048)
    kept = before.dataset("dva-1").load()
    result = call("archive", "remove", folder, "dva-0")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"Removed dva-0 ({before.run('dva-0').key}): its measurements")
    assert "and its checkpoint (2 KiB)" in result.stdout
    after = open_archive(folder)
    assert [run.label for run in after.runs] == [
        run.label for run in before.runs if run.label != "dva-0"
    ]
    assert after.dataset("dva-1").load().identical(kept)
    assert not checkpoint.exists()
    catalogue = json.loads((folder / CATALOGUE).read_text())
    assert [row["label"] for row in catalogue["runs"]] == [run.label for run in after.runs]


@pytest.mark.parametrize("step", ["moved", "half deleted", "without checkpoint", "catalogue"])
def test_a_kill_in_the_middle_leaves_a_readable_archive(folder, monkeypatch, step):
    (folder / CHECKPOINTS / "dva-0").mkdir(parents=True, exist_ok=True)
    expected = {run.label: run.key for run in open_archive(folder).runs}
    place = {"moved": 2, "half deleted": 2, "without checkpoint": 3, "catalogue": 5}[step]
    _killed_at(place, monkeypatch, half=step == "half deleted")
    with pytest.raises(KeyboardInterrupt):
        removal.remove_run(folder, "dva-0")
    monkeypatch.undo()
    assert {run.label for run in open_archive(folder).runs} == set(expected) - {"dva-0"}
    assert scan(folder).unreadable == {}
    removal.remove_run(folder, "dva-1")
    assert {run.label for run in open_archive(folder).runs} == set(expected) - {"dva-0", "dva-1"}
    assert [each.name for each in (folder / ".partial").iterdir() if each.is_dir()] == []


def _killed_at(place, monkeypatch, *, half):
    """Stop at the deletion of this number, counted from 1, or where the catalogue is written."""
    remove, calls = shutil.rmtree, []

    def stop(*_):
        raise KeyboardInterrupt

    def counted(path, *args, **more):
        calls.append(path)
        if len(calls) == place:
            if half:
                (path / "zarr.json").unlink()
            stop()
        remove(path, *args, **more)

    monkeypatch.setattr(removal.shutil, "rmtree", counted)
    monkeypatch.setattr(removal, "write_catalogue", stop)


def test_what_is_not_there_is_one_sentence(refused, folder, tmp_path):
    assert "did you mean" in refused("archive", "remove", folder, "dva-00").lower()
    assert "There is no folder" in refused("archive", "info", tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert "not the folder of a study" in refused("archive", "remove", tmp_path / "empty", "x")
