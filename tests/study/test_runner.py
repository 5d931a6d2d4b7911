import json
from pathlib import Path

import numpy as np
import pytest
from small_text import small_corpus

from dva_lens.cli.progress import line
from dva_lens.models.checkpoint import load_checkpoint
from dva_lens.results.archive import open_archive, scan
from dva_lens.results.schema import statistics_of
from dva_lens.results.writer import create_archive, write_run
from dva_lens.statistics.table import RECORDED, STATISTICS
from dva_lens.study import measuring, runner
from dva_lens.study.definition import Study
from dva_lens.study.folder import claimed
from dva_lens.study.runner import run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A study that has run: its folder and its values."""
    text = tmp_path_factory.mktemp("text")
    for document in small_corpus(documents=20, words=120).documents:
        (text / f"{document.name}.txt").write_text(document.text)
    values = {
        "name": "tiny",
        "presets": ["transformer", "dva"],
        "seeds": [0],
        "size": {"layers": 2, "width": 16, "heads": 2, "vocabulary": 270, "context": 32},
        "recipe": {"steps": 4, "batch": 2, "warmup": 1, "measurements": 2, "eval_every": 2},
        "sequences": 3,
        "text": str(text),
    }
    folder = tmp_path_factory.mktemp("out")
    run(Study.from_dict(values), folder)
    return folder, values


def test_every_run_is_there_with_everything(finished):
    folder, _ = finished
    archive = open_archive(folder)
    assert [run.label for run in archive.runs] == ["transformer-0", "dva-0"]
    for one in archive.runs:
        assert archive.texts_of(one) == ("held-out", "shuffled")
        assert np.isfinite(one.attrs["loss"])
        assert one.attrs["parameters"] > 0
        assert one.attrs["train_tokens"] == 4 * 2 * 32
        assert json.loads(one.attrs["config"])
        data = archive.dataset(one)
        assert statistics_of(data) == RECORDED
        assert data["step"].values.tolist() == [0, 1, 4]
        assert data["entropy"].dims == ("step", "layer", "head", "sequence", "span")
        assert data["top_key_text"].dims == ("step", "layer", "head", "sequence")
        assert np.isfinite(data["entropy"].isel(span=2)).all()
        assert data.attrs["train_key"] == one.key
        assert data["token"].dims == ("shown", "query")
        log = archive.training(one)
        assert log["train_step"].values.tolist() == [1, 2, 3, 4]
        assert np.isfinite(log["loss"]).all()


def test_the_catalogue_lists_the_runs(finished):
    folder, _ = finished
    listed = json.loads((folder / "catalogue.json").read_text())
    assert [row["label"] for row in listed["runs"]] == ["transformer-0", "dva-0"]
    assert listed["study"]["name"] == "tiny"


def test_the_models_of_every_step_are_kept(finished):
    folder, _ = finished
    for label in ("transformer-0", "dva-0"):
        place = folder / "checkpoints" / label
        assert load_checkpoint(place).training["step"] == 4
        steps = sorted(path.name for path in (place / "steps").iterdir())
        assert steps == ["0000000", "0000001"]
        assert load_checkpoint(place / "steps" / steps[0]).training["step"] == 0
    assert [path.name for path in (folder / ".partial").iterdir()] == ["lock"]


def test_running_again_does_nothing(finished, moments, monkeypatch):
    folder, values = finished
    monkeypatch.setattr(runner, "trained", None)
    monkeypatch.setattr(runner, "measured", None)
    run(Study.from_dict(values), folder, moments)
    assert moments.phases == {"transformer-0": ["kept"], "dva-0": ["kept"]}


def test_a_new_preset_trains_alone(finished, moments):
    folder, values = finished
    more = values | {"presets": ["transformer", "dva", "dva-separable"]}
    run(Study.from_dict(more), folder, moments)
    assert moments.phases["transformer-0"] == ["kept"]
    assert moments.phases["dva-separable-0"] == ["train", "measure", "finished"]
    assert len(open_archive(folder).runs) == 3


def test_a_statistic_of_another_version_is_measured_again_alone(finished, moments, monkeypatch):
    folder, values = finished
    before = open_archive(folder).dataset("dva-0").load()
    called = []

    def measure(model, text, **options):
        called.append(options["statistics"])
        data = original(model, text, **options)
        data["entropy"].attrs["version"] = 99
        data["entropy"] += 1.0
        return data

    original = measuring.measure
    changed = type(STATISTICS["entropy"])(**{**vars(STATISTICS["entropy"]), "version": 99})
    monkeypatch.setitem(STATISTICS, "entropy", changed)
    monkeypatch.setattr(measuring, "measure", measure)
    monkeypatch.setattr(runner, "trained", None)
    run(Study.from_dict(values), folder, moments)
    assert moments.phases["dva-0"] == ["measure", "finished"]
    assert set(called) == {("entropy",)}
    after = open_archive(folder).dataset("dva-0").load()
    np.testing.assert_allclose(after["entropy"], before["entropy"] + 1.0, rtol=1e-5)
    assert after["entropy"].attrs["version"] == 99
    assert after["largest_weight"].identical(before["largest_weight"])
    assert set(after) == set(before)


def test_a_lost_chunk_is_measured_again(finished, moments):
    folder, values = finished
    archive = open_archive(folder)
    before = archive.dataset("dva-0")["loss"].load()
    group = folder / "archive.zarr" / "runs" / archive.run("dva-0").key
    (group / "held-out" / "loss" / "zarr.json").unlink()
    run(Study.from_dict(values), folder, moments)
    assert moments.phases["dva-0"] == ["measure", "finished"]
    assert open_archive(folder).texts_of("dva-0") == ("held-out", "shuffled")
    assert open_archive(folder).dataset("dva-0")["loss"].identical(before)


def test_a_run_that_cannot_be_read_is_trained_again(finished, moments):
    folder, values = finished
    group = folder / "archive.zarr" / "runs" / open_archive(folder).run("dva-0").key
    before = open_archive(folder).dataset("dva-0")["entropy"].load()
    (group / "zarr.json").write_text("{")
    run(Study.from_dict(values), folder, moments)
    assert moments.phases["dva-0"] == ["train", "measure", "finished"]
    after = open_archive(folder).dataset("dva-0")["entropy"].load()
    np.testing.assert_array_equal(after, before)


def test_a_full_disk_keeps_finished_runs(study, tmp_path, monkeypatch):
    seen = []

    def full(*args, **options):
        if seen:
            raise OSError(28, "No space left on device")
        seen.append(args)
        return write_run(*args, **options)

    monkeypatch.setattr("dva_lens.study.folder.write_run", full)
    with pytest.raises(OSError, match="No space left"):
        run(study, tmp_path)
    assert [one.label for one in open_archive(tmp_path).runs] == ["transformer-0"]


def test_a_text_too_short_is_refused_and_the_folder_can_be_used_again(values, tmp_path):
    short = tmp_path / "short.txt"
    short.write_text("too short")
    out = tmp_path / "out"
    with pytest.raises(ValueError, match=r"\S"):
        run(Study.from_dict(values | {"text": str(short)}), out)
    run(Study.from_dict(values | {"presets": ["transformer"]}), out)
    assert len(open_archive(out).runs) == 1


def test_the_same_text_by_another_path_is_the_same_study(finished, moments, monkeypatch):
    folder, values = finished
    monkeypatch.chdir(values["text"])
    run(Study.from_dict(values | {"text": "."}), folder, moments)
    assert {phase for phases in moments.phases.values() for phase in phases} == {"kept"}


def test_another_text_under_the_same_path_is_refused(finished):
    folder, values = finished
    before = sorted(path.name for path in (folder / "checkpoints").rglob("*"))
    added = Path(values["text"]) / "more.txt"
    added.write_text("something that was not there before")
    with pytest.raises(ValueError, match=r"transformer-0 in .* was trained on another text"):
        run(Study.from_dict(values), folder)
    added.unlink()
    assert sorted(path.name for path in (folder / "checkpoints").rglob("*")) == before


def test_a_statistic_that_a_study_adds_is_measured_alone(finished, moments, monkeypatch):
    folder, values = finished
    monkeypatch.setattr(runner, "trained", None)
    run(Study.from_dict(values | {"statistics": ["gini"]}), folder, moments)
    assert moments.phases["dva-0"] == ["measure", "finished"]
    for text in ("held-out", "shuffled"):
        data = open_archive(folder).dataset("dva-0", text)
        assert {*statistics_of(data)} == {*RECORDED, "gini"}
        assert np.isfinite(data["gini"].isel(span=2)).all()


def test_a_study_killed_between_writing_and_moving_its_models_continues(study, tmp_path):
    run(study, tmp_path)
    key = open_archive(tmp_path).run("dva-0").key
    working = tmp_path / ".partial" / f"{key}.training"
    working.mkdir()
    (tmp_path / "checkpoints" / "dva-0").rename(working / "models")
    run(study, tmp_path)
    assert load_checkpoint(tmp_path / "checkpoints" / "dva-0").training["step"] == 6
    assert not working.exists()


@pytest.fixture
def stopped(values, tmp_path, monkeypatch):
    """A study with saved states, stopped while its run is written, and where it worked."""
    study = Study.from_dict(values | {"presets": ["dva"], "save_every": 2})
    with monkeypatch.context() as patched:
        patched.setattr("dva_lens.study.folder.write_run", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(study, tmp_path / "out")
    (working,) = (tmp_path / "out" / ".partial").glob("*.training")
    return study, tmp_path / "out", working


def _interrupted(*_args, **_options):
    raise KeyboardInterrupt


@pytest.fixture
def undisturbed(stopped, tmp_path):
    run(stopped[0], tmp_path / "whole")
    return open_archive(tmp_path / "whole")


def same_runs(folder, expected):
    found = open_archive(folder)
    assert [one.key for one in found.runs] == [one.key for one in expected.runs]
    for one in expected.runs:
        for text in expected.texts_of(one):
            assert found.dataset(one, text).load().identical(expected.dataset(one, text).load())
    assert [path.name for path in (folder / ".partial").iterdir()] == ["lock"]


@pytest.mark.parametrize("moved", [False, True], ids=["in place", "models moved"])
def test_a_kill_while_a_finished_run_is_written_costs_no_training(
    stopped, undisturbed, moments, moved
):
    study, folder, working = stopped
    (folder / "checkpoints").mkdir()
    if moved:
        (working / "models").rename(folder / "checkpoints" / "dva-0")
    else:  # and what other kills leave
        (working / "models" / "steps" / ".0000001.abc").mkdir()
        (working / ".models.abc").mkdir()
    run(study, folder, moments)
    assert not [moment for moment in moments if moment.phase == "train" and moment.step]
    same_runs(folder, undisturbed)
    steps = [path.name for path in (folder / "checkpoints" / "dva-0" / "steps").iterdir()]
    assert not [name for name in steps if name.startswith(".")]


@pytest.mark.parametrize("others", [False, True], ids=["gone", "another's"])
def test_a_state_without_its_models_starts_over(stopped, undisturbed, others):
    study, folder, working = stopped
    (folder / "checkpoints").mkdir()
    (working / "models").rename(folder / "checkpoints" / "dva-0")
    about = folder / "checkpoints" / "dva-0" / "training.json"
    if others:
        about.write_text(json.dumps(json.loads(about.read_text()) | {"seed": 5}))
    else:
        about.unlink()
    run(study, folder)
    same_runs(folder, undisturbed)
    assert load_checkpoint(folder / "checkpoints" / "dva-0").training["seed"] == 0


def test_an_archive_that_was_begun_is_made_anew(study, tmp_path):
    archive = tmp_path / "archive.zarr"
    (archive / "runs").mkdir(parents=True)
    (archive / "zarr.json").write_text("")
    (tmp_path / "study.json").write_text(json.dumps(study.to_dict()))
    with claimed(tmp_path, study):
        assert create_archive(tmp_path) == archive
    assert not scan(tmp_path).runs


def test_models_that_are_gone_are_noticed_and_said(finished, moments):
    folder, values = finished
    (folder / "checkpoints" / "dva-0" / "model.safetensors").rename(folder / "kept")
    run(Study.from_dict(values), folder, moments)
    (folder / "kept").rename(folder / "checkpoints" / "dva-0" / "model.safetensors")
    last = {moment.run: line(moment) for moment in moments}
    assert "models are missing" not in last["transformer-0"]
    assert f"models are missing from {folder}/checkpoints/dva-0" in last["dva-0"]


@pytest.mark.parametrize("every", [None, 2])
def test_a_training_that_diverges_leaves_nothing(values, tmp_path, monkeypatch, every):
    def diverge(job, place, **_):
        place.mkdir()
        raise FloatingPointError("The loss became nan")

    monkeypatch.setattr(runner, "trained", diverge)
    with pytest.raises(FloatingPointError):
        run(Study.from_dict(values | {"save_every": every}), tmp_path)
    assert [path.name for path in (tmp_path / ".partial").iterdir()] == ["lock"]


def test_a_study_may_name_the_hash_of_its_text_and_of_its_plan(finished, tmp_path):
    folder, values = finished
    of_text = json.loads(open_archive(folder).runs[0].attrs["provenance"])["text_sha256"]
    study = Study.from_dict(
        values | {"presets": ["transformer"], "text_sha256": of_text, "plan_sha256": "b" * 64}
    )
    run(study, tmp_path / "out")
    (one,) = open_archive(tmp_path / "out").runs
    assert json.loads(one.attrs["provenance"])["plan_sha256"] == "b" * 64
    with pytest.raises(ValueError, match=r"holds another study \(plan_sha256: \"bbb"):
        run(study.changed(plan_sha256="c" * 64), tmp_path / "out")
    with pytest.raises(ValueError, match=f"aaaaaaaaaaaa, and .* has {of_text[:12]}; pass that"):
        run(study.changed(text_sha256="a" * 64), tmp_path / "other")
