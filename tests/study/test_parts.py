import json

import pytest

from dva_lens.measuring.texts import special_around
from dva_lens.models.checkpoint import load_checkpoint
from dva_lens.reports.report import report_of
from dva_lens.results.archive import open_archive
from dva_lens.study.definition import Study
from dva_lens.study.folder import STUDY
from dva_lens.study.planned import planned_runs
from dva_lens.study.runner import run
from dva_lens.study.texts import prepare

TASK = "bigram-backcopy"


@pytest.fixture
def parts(values):
    """A study of a text with a start token and, in its second part, of a task."""
    recipe = {**values["recipe"], "steps": 2, "eval_every": 2}
    task = {
        "name": TASK,
        "task": TASK,
        "presets": ["transformer", "gated"],
        "seeds": [0, 1],
        "texts": ["held-out"],
        "size": {**values["size"], "vocabulary": 64},
        "recipe": recipe,
        "sequences": 3,
    }
    first = {**values, "presets": ["transformer"], "start": True, "recipe": recipe}
    return {**first, "parts": [task]}


def test_parts_share_an_archive_and_are_never_pooled(parts, tmp_path, moments):
    run(Study.from_dict(parts), tmp_path, moments)
    archive = open_archive(tmp_path)
    assert archive.texts == ("held-out", "shuffled", TASK)
    assert [run.label for run in archive.runs] == [
        "transformer-0",
        f"{TASK}-transformer-0",
        f"{TASK}-transformer-1",
        f"{TASK}-gated-0",
        f"{TASK}-gated-1",
    ]
    assert {text: len(part.runs) for text, part in archive.parts.items()} == {
        "held-out": 1,
        TASK: 4,
    }
    text, task = archive.on("held-out"), archive.on(TASK)
    assert (text.models, text.seeds) == (("transformer",), (0,))
    assert (task.models, task.seeds) == (("transformer", "gated"), (0, 1))
    assert {model: len(logs) for model, logs in archive.trainings().items()} == {"transformer": 1}
    assert {model: len(logs) for model, logs in archive.trainings(TASK).items()} == {
        "transformer": 2,
        "gated": 2,
    }
    shown = archive.display(archive.runs[1], TASK)
    assert set(shown["token"].isel(query=0).values.ravel().tolist()) == {"<start>"}
    model = load_checkpoint(archive.checkpoint(archive.runs[1]))
    assert model.tokenizer.decode([1]) == "<copy1>"
    started = load_checkpoint(archive.checkpoint(archive.runs[0])).tokenizer
    assert special_around(started) == ((0,), ())
    sections = [section.name for section in report_of(archive).sections]
    assert len(set(sections)) == len(sections)
    assert {"findings", "methods", f"{TASK}-findings", f"{TASK}-training"} <= set(sections)
    assert "bigram" not in " ".join(section.name for section in report_of(archive, TASK).sections)
    moments.clear()
    run(Study.from_dict(parts), tmp_path, moments)
    assert {phase for phases in moments.phases.values() for phase in phases} == {"kept"}


def test_a_start_token_is_trained_on_and_measured(parts, tmp_path):
    texts = prepare(Study.from_dict(parts), tmp_path)
    plain = prepare(Study.from_dict({**parts, "start": False}), tmp_path)
    recipe = Study.from_dict(parts).recipe
    assert (texts.source.batches(recipe, 0)(0)[:, 0] == 0).all()
    assert (texts.source.held_out(8, 2)[:, 0] == 0).all()
    assert all((text.tokens[:, 0] == 0).all() for text in texts.evaluation.values())
    assert not (plain.source.batches(recipe, 0)(0)[:, 0] == 0).all()
    assert texts.data != plain.data == plain.sha256 == texts.sha256


def test_seeds_of_a_task_see_other_sequences_of_the_same_task(parts, tmp_path):
    part = Study.from_dict(parts).each_part()[TASK]
    source = prepare(part, tmp_path, TASK).source
    assert (source.batches(part.recipe, 0)(1) != source.batches(part.recipe, 1)(1)).any()
    assert source.held_out(16, 2).shape == (2, 17)


def test_a_folder_takes_another_part_and_refuses_a_changed_one(parts, tmp_path):
    whole = Study.from_dict(parts)
    run(whole.each_part()[""].changed(seeds=(0,)), tmp_path)
    run(whole, tmp_path)
    kept = json.loads((tmp_path / STUDY).read_text())
    assert [part["name"] for part in kept["parts"]] == [TASK]
    changed = {**parts, "parts": [{**parts["parts"][0], "sequences": 5}]}
    with pytest.raises(ValueError, match=rf"another study \({TASK}\.sequences: 3 -> 5\)"):
        run(Study.from_dict(changed), tmp_path)
    with pytest.raises(ValueError, match="start: true -> false"):
        run(Study.from_dict({**parts, "start": False}), tmp_path)


def test_seeds_and_text_change_in_all_parts(parts):
    study = Study.from_dict(parts).offset(3).reading("other.txt")
    assert [part.seeds for part in study.each_part().values()] == [(3,), (3, 4)]
    assert [part.text for part in study.each_part().values()] == ["other.txt", None]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": TASK}, "task 'bigram-backcopy' has its own sequences"),
        ({"task": "bigram-backcop", "text": None}, "did you mean 'bigram-backcopy'"),
        ({"start": 1}, "start must be true or false, got 1"),
        ({"part": {"name": "held-out"}}, "parts must have names of their own"),
        ({"part": {"name": "../up"}}, r"letters, digits, single dots and dashes.*, got '\.\./up'"),
        (
            {"part": {"name": "a..b"}},
            r"single dots .* is not 'training', got 'a\.\.b'",
        ),
        ({"part": {"name": "training"}}, "is not 'training', got 'training'"),
        ({"part": {"task": "none"}}, r"parts\[0\]\.task must be one of"),
        ({"part": {"size": {"layers": 2}}}, r"parts\[0\]"),
    ],
)
def test_what_is_wrong_with_parts_is_said_by_name(parts, change, message):
    change = dict(change)
    parts["parts"][0] |= change.pop("part", {})
    with pytest.raises(ValueError, match=message):
        Study.from_dict({**parts, **change})


def test_parts_hold_no_parts(parts):
    parts["parts"][0]["parts"] = [{**parts["parts"][0], "name": "deeper"}]
    with pytest.raises(ValueError, match="parts hold no further parts"):
        Study.from_dict(parts)


def test_a_study_with_parts_survives_json(parts):
    study = Study.from_dict(parts)
    assert Study.from_dict(json.loads(json.dumps(study.to_dict()))) == study


def test_a_preset_may_have_a_learning_rate_of_its_own(parts, tmp_path):
    rates = {"gated": 2e-3}
    task = {**parts["parts"][0], "learning_rates": rates}
    study = Study.from_dict({**parts, "parts": [task]})
    part = study.each_part()[TASK]
    planned = planned_runs(part, vocabulary=64, data="d", tokenizer="t")
    recipe = part.recipe
    found = {run.preset: run.recipe for run in planned if run.seed == 0}
    assert found["transformer"] == recipe.changed(seed=0)
    assert found["gated"].learning_rate == 2e-3
    share = recipe.final_learning_rate / recipe.learning_rate
    assert found["gated"].final_learning_rate == pytest.approx(2e-3 * share)
    run(study, tmp_path)
    more = {**task, "presets": [*task["presets"], "svformer"]}
    more["learning_rates"] = {**rates, "svformer": 3e-3}
    run(Study.from_dict({**parts, "parts": [more]}), tmp_path)
    changed = {**task, "learning_rates": {"gated": 1e-3}}
    with pytest.raises(ValueError, match=r"learning_rates\.gated: 0\.002 -> 0\.001"):
        run(Study.from_dict({**parts, "parts": [changed]}), tmp_path)
    with pytest.raises(ValueError, match="learning_rates names 'dva', which is none of"):
        Study.from_dict({**parts, "learning_rates": {"dva": 1e-3}})


def test_texts_of_parts_never_share_a_name(parts):
    first = parts["parts"][0] | {"name": "a", "texts": ["held-out", "shuffled"]}
    other = first | {"name": "a-shuffled"}
    with pytest.raises(ValueError, match=r"names of their own, .* got \['a', 'a-shuffled'\]"):
        Study.from_dict({**parts, "parts": [first, other]})
    assert Study.from_dict({**parts, "parts": [first]}).parts[0].texts_after("a") == (
        "a",
        "a-shuffled",
    )


def test_a_part_may_be_called_by_a_number(parts, tmp_path):
    parts["parts"][0]["name"] = "lr-0.002"
    parts["presets"] = ["transformer"]
    run(Study.from_dict(parts), tmp_path)
    assert "lr-0.002" in open_archive(tmp_path).texts
