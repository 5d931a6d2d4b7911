import json

import pytest
from fakes import fake_archive

from dva_lens.study.folder import STUDY, claimed, refuse_foreign, renew_catalogue


def test_a_folder_of_somebody_else_is_refused_and_left_alone(tmp_path, study):
    (tmp_path / "thesis.tex").write_text("all of it")
    with pytest.raises(FileExistsError, match=r"holds something else \(thesis.tex\)"):
        refuse_foreign(tmp_path)
    with pytest.raises(FileExistsError), claimed(tmp_path, study):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(FileExistsError, match="is a file"):
        refuse_foreign(tmp_path / "out")


def test_new_and_empty_folders_are_taken(tmp_path, study):
    for place in (tmp_path / "new" / "below", tmp_path / "empty"):
        with claimed(place, study):
            assert json.loads((place / STUDY).read_text())["name"] == "tiny"


def test_two_writers_are_one_too_many(tmp_path, study):
    with claimed(tmp_path, study):
        second = claimed(tmp_path, study)
        with pytest.raises(RuntimeError, match="being written by another process"), second:
            pass
    with claimed(tmp_path, study):
        pass


def test_another_study_is_refused_once_runs_are_finished(tmp_path, study):
    other = study.changed(sequences=4)
    with claimed(tmp_path, study):
        pass
    with claimed(tmp_path, other):
        pass
    fake_archive(tmp_path, models=("transformer",), seeds=1)
    with (
        pytest.raises(ValueError, match=r"holds another study \(sequences: 4 -> 3\)"),
        claimed(tmp_path, study),
    ):
        pass
    with claimed(tmp_path, other.changed(seeds=(0, 1, 2), presets=("transformer",))):
        pass


def test_a_damaged_description_is_named(tmp_path, study):
    fake_archive(tmp_path, models=("transformer",), seeds=1)
    (tmp_path / STUDY).write_text("{")
    with (
        pytest.raises(ValueError, match=r"study.json is damaged .* delete it, the runs stay"),
        claimed(tmp_path, study),
    ):
        pass


def test_only_what_differs_is_said(tmp_path, study):
    fake_archive(tmp_path, models=("transformer",), seeds=1)
    other = study.changed(recipe=study.recipe.changed(steps=7, clip=0.5))
    (tmp_path / STUDY).write_text(json.dumps(study.to_dict()))
    with (
        pytest.raises(ValueError, match=r"\(recipe.steps: 6 -> 7, recipe.clip: 1.0 -> 0.5\); "),
        claimed(tmp_path, other),
    ):
        pass


def test_a_study_described_under_former_names_is_the_same(tmp_path, study):
    fake_archive(tmp_path, models=("transformer",), seeds=1)
    before = study.to_dict()
    before["probes"] = before.pop("texts")
    del before["statistics"]
    (tmp_path / STUDY).write_text(json.dumps(before))
    with claimed(tmp_path, study):
        assert json.loads((tmp_path / STUDY).read_text()) == study.to_dict()


def test_a_catalogue_that_was_not_written_is_written_and_one_that_was_stays(tmp_path, study):
    fake_archive(tmp_path, models=("transformer",), seeds=1)
    file = tmp_path / "catalogue.json"
    file.unlink()
    renew_catalogue(tmp_path, study)
    written = json.loads(file.read_text())
    assert [row["label"] for row in written["runs"]] == ["transformer-0"]
    assert written["study"] == json.loads(json.dumps(study.to_dict()))
    before = file.stat().st_mtime_ns
    renew_catalogue(tmp_path, study)
    assert file.stat().st_mtime_ns == before
    file.write_text("{")
    renew_catalogue(tmp_path, study)
    assert json.loads(file.read_text()) == written
