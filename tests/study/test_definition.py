import hashlib
import json
from typing import get_args

import memory
import pytest

from dva_lens.kernels.backends import BACKENDS
from dva_lens.mechanisms.value_form import VALUE_FORMS
from dva_lens.models.costs import COSTS
from dva_lens.models.grid import cells
from dva_lens.models.presets import PRESETS
from dva_lens.study import STUDIES
from dva_lens.study.builtin import read_study
from dva_lens.study.definition import Backend, Study
from dva_lens.study.matching import NEAR
from dva_lens.study.planned import planned_runs
from dva_lens.study.runner import run


def test_a_study_survives_json(study):
    assert Study.from_dict(json.loads(json.dumps(study.to_dict()))) == study


def test_a_recipe_without_a_length_takes_the_context(study):
    assert study.recipe.length == study.size.context


@pytest.mark.parametrize("name", STUDIES)
def test_built_in_studies_are_complete(name):
    study = read_study(name)
    assert study.name == name
    assert set(study.presets) <= {*PRESETS, *cells(study.size)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"presets": ["transfomer"]},
            r"Unknown preset 'transfomer' \(did you mean 'transformer'\?\)",
        ),
        ({"presets": []}, "presets must hold at least one"),
        ({"presets": "dva"}, "presets must be a list, got 'dva'"),
        ({"presets": ["davos*"]}, r"No preset is like 'davos\*'"),
        ({"presets": ["8h-noff-static-own"]}, "with heads=2 a name is 1h or 2h"),
        ({"presets": ["1h-noff-pairwse-own"]}, "did you mean '1h-noff-pairwise-own'"),
        ({"match": {"by": "money", "baseline": "dva"}}, "match.by must be one of parameters, flo"),
        ({"match": {"by": "flops", "baseline": "dba"}}, "Unknown preset 'dba'"),
        ({"match": {"by": "flops"}}, "match lacks baseline; it needs by, baseline"),
        ({"match": "flops"}, "match must be a mapping of keys to values, got 'flops'"),
        ({"seeds": [0, 0]}, r"none twice, got \[0, 0\]"),
        ({"texts": ["shuffled"]}, "texts must begin with 'held-out'"),
        ({"texts": ["held-out", "shufled"]}, r"texts\[1\] must be one of .* mean 'shuffled'\?"),
        ({"texts": ["held-out"], "probes": ["held-out"]}, "probes is the former name of texts"),
        ({"sequences": 0}, "sequences must be at least 1, got 0"),
        ({"save_every": 0}, "save_every must be at least 1"),
        ({"sequences": 2.5}, r"sequences must be a whole number, got 2\.5"),
        ({"sequences": 10**9}, "sequences must be at most 100000, got 1000000000"),
        ({"backend": "fsued"}, r"backend must be one of auto, .* \(did you mean 'fused'\?\)"),
        ({"seeds": ["a"]}, r"seeds\[0\] must be a whole number, got 'a'"),
        ({"seeds": [True]}, r"seeds\[0\] must be a whole number, got true"),
        ({"statistics": ["gin"]}, r"statistics\[0\] is unknown: 'gin' \(did you mean 'gini'\?\);"),
        ({"statistics": ["gini", "gini"]}, "statistics must hold .* none twice"),
        ({"name": False}, "name must be text, got false"),
        ({"name": ""}, "name must be text that is not empty"),
        ({"text": ""}, "text must be text that is not empty, got ''"),
        (
            {"preset": ["dva"]},
            r"Unknown key 'preset' in a study \(did you mean 'presets'\?\); the keys are name",
        ),
        ({"size": {"layers": 2}}, "size lacks width; it needs layers, width"),
        ({"size": 3}, "size must be a mapping of keys to values, got 3"),
        (
            {"recipe": {"steps": 1, "bach": 2}},
            r"Unknown key 'bach' in recipe \(did you mean 'batch'\?",
        ),
    ],
)
def test_what_is_wrong_is_named(values, change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Study.from_dict(values | change)


def test_training_on_more_than_the_context_is_refused(values):
    values["recipe"]["length"] = 64
    with pytest.raises(ValueError, match=r"must not exceed size.context=32, got 64"):
        Study.from_dict(values)


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        ("size", "vocabulary", 10**8, r"size\.vocabulary must be at most [0-9]+, got 100000000"),
        ("size", "layers", 10**5, r"size\.layers must be at most [0-9]+, got 100000"),
        ("size", "heads", "two", r"size\.heads must be a whole number, got 'two'"),
        ("recipe", "measurements", 10**9, r"recipe\.measurements must be at most 10000"),
        ("recipe", "steps", 2.5, r"recipe\.steps must be a whole number, got 2\.5"),
        ("recipe", "batch", True, r"recipe\.batch must be a whole number, got true"),
        ("recipe", "learning_rate", "3e-4 ", r"recipe\.learning_rate must be a number"),
    ],
)
def test_absurd_numbers_are_refused_by_their_path_before_memory_is_taken(
    values, part, key, value, message
):
    values[part][key] = value

    def refused():
        with pytest.raises(ValueError, match=message):
            Study.from_dict(values)

    assert memory.peak(refused) < 8 << 20


def test_a_model_that_does_not_fit_into_memory_is_refused_with_both_numbers(values, tmp_path):
    values["presets"] = ["transformer"]
    values["size"] |= {"layers": 1000, "width": 65536, "heads": 64}
    with pytest.raises(MemoryError, match=r"needs at least [0-9,.]+ GiB, and this machine has"):
        run(Study.from_dict(values), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_backends_of_a_study_are_those_there_are():
    assert {*get_args(Backend)} == {"auto", *BACKENDS}


def test_the_former_name_of_a_key_is_read_and_the_new_one_said_once(study, tmp_path, caplog):
    file = tmp_path / "old.yaml"
    given = study.to_dict()
    file.write_text(json.dumps(given | {"probes": given.pop("texts")}))
    assert read_study(str(file)) == study
    assert caplog.messages == [f"{file} is read as it is: probes is now texts."]


def test_a_number_keeps_the_form_that_keys_are_made_of(values):
    values["recipe"] |= {"clip": 1, "weight_decay": 0}
    recipe = Study.from_dict(values).recipe.to_dict()
    assert [type(recipe[name]) for name in ("clip", "weight_decay")] == [int, int]


def test_a_missing_key_is_named(values):
    del values["recipe"]
    with pytest.raises(ValueError, match="A study lacks recipe; it needs name, presets"):
        Study.from_dict(values)


def test_a_file_describes_a_study(study, tmp_path):
    file = tmp_path / "mine.yaml"
    given = {key: value for key, value in study.to_dict().items() if key != "name"}
    file.write_text(json.dumps(given))
    assert read_study(str(file)).name == "mine"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "There is no file"),
        ("a: [", "is not YAML"),
        ("- 1", "must map"),
        ("a: 1", r"mine.yaml describes no study. A study lacks presets"),
        ("seeds: [yes]\nseeds: [no]", "the key 'seeds' stands twice"),
        ("\x00", "not YAML"),
    ],
)
def test_a_file_that_describes_nothing_is_refused(tmp_path, content, message):
    file = tmp_path / "mine.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=message):
        read_study(str(file))


def test_an_unknown_study_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"study 'quik' \(did you mean 'quick'\?\): pass one of"):
        read_study("quik")


def test_runs_differ_in_what_decides_their_weights_and_in_nothing_else(study, values):
    about = {"vocabulary": 260, "data": "d", "tokenizer": "t"}
    first = planned_runs(study, **about)
    assert [plan.label for plan in first] == ["transformer-0", "dva-0"]
    keys = {plan.key for plan in first}
    assert len(keys) == 2
    same = Study.from_dict(values | {"name": "other", "sequences": 9, "backend": "exact"})
    assert {plan.key for plan in planned_runs(same, **about)} == keys
    for change in ({"data": "e"}, {"tokenizer": "u"}, {"vocabulary": 261}):
        assert keys.isdisjoint(plan.key for plan in planned_runs(study, **(about | change)))
    values["recipe"]["learning_rate"] = 2e-3
    assert keys.isdisjoint(plan.key for plan in planned_runs(Study.from_dict(values), **about))


def test_the_grid_is_a_study_in_which_queries_keep_their_width():
    study = read_study("grid")
    todo = planned_runs(study, vocabulary=300, data="", tokenizer="")
    assert len({plan.key for plan in todo}) == len(todo) == 2 * 2 * len(VALUE_FORMS) * 2 * 3
    assert {plan.config.qk_dim for plan in todo} == {24}
    assert {plan.config.heads for plan in todo} == {1, 4}


def test_presets_are_chosen_by_pattern_each_once(values):
    values["presets"] = ["dva", "1h-noff-pair*", "dva*"]
    assert Study.from_dict(values).presets[:6] == (
        "dva",
        "1h-noff-pairwise-own",
        "1h-noff-pairwise-residual",
        "1h-noff-pair-gate-own",
        "1h-noff-pair-gate-residual",
        "dva-static",
    )


@pytest.mark.parametrize("by", ["parameters", "flops"])
def test_matched_models_cost_what_the_baseline_costs(values, by):
    values["presets"] = ["transformer", "resformer-identity", "svformer", "dva", "?h-noff-*-own"]
    values["size"] |= {"layers": 4, "width": 64, "context": 32}
    values["match"] = {"by": by, "baseline": "transformer"}
    study = Study.from_dict(values)
    assert Study.from_dict(json.loads(json.dumps(study.to_dict()))) == study
    todo = {
        plan.preset: plan.config
        for plan in planned_runs(study, vocabulary=260, data="", tokenizer="")
    }
    wanted = COSTS[by](todo["transformer"])
    assert todo["transformer"] == study.size.config(vocabulary=260)
    for config in todo.values():
        assert COSTS[by](config) == pytest.approx(wanted, rel=NEAR)
    assert todo["svformer"].width == 64 < todo["dva"].width
    assert {config.qk_dim for name, config in todo.items() if "h-noff" in name} == {32}
    assert todo["2h-noff-static-own"].value_dim > 32


def test_matching_changes_the_key_of_what_it_changes_alone(values):
    about = {"vocabulary": 260, "data": "", "tokenizer": ""}
    plain = planned_runs(Study.from_dict(values), **about)
    values["match"] = {"by": "parameters", "baseline": "transformer"}
    other = planned_runs(Study.from_dict(values), **about)
    assert [a.key == b.key for a, b in zip(plain, other, strict=True)] == [True, False]


def test_what_cannot_be_matched_is_refused_with_how_close_it_comes(values):
    values["match"] = {"by": "parameters", "baseline": "dva-static"}
    with pytest.raises(ValueError, match=r"dva cannot be matched to dva-static.* \+5\.4% .* 5%"):
        Study.from_dict(values)
    values["match"] = {"by": "flops", "baseline": "transformer", "vary": "feedforward"}
    with pytest.raises(ValueError, match=r"dva cannot be matched .* can only vary its width"):
        Study.from_dict(values)


def test_seeds_come_one_after_the_other(values):
    study = Study.from_dict(values | {"seeds": [3, 5]})
    labels = [plan.label for plan in planned_runs(study, vocabulary=260, data="", tokenizer="")]
    assert labels == ["transformer-3", "dva-3", "transformer-5", "dva-5"]


def test_a_study_file_names_the_plan_it_was_written_after(values, tmp_path):
    plan, file = tmp_path / "claims.yaml", tmp_path / "mine.yaml"
    plan.write_text("claims: [{statistic: dynamism, model: dva, direction: higher}]\n")
    file.write_text(json.dumps(values | {"plan": "claims.yaml"}))
    found = read_study(str(file))
    assert found.plan_sha256 == hashlib.sha256(plan.read_bytes()).hexdigest()
    assert Study.from_dict(found.to_dict()) == found
    plan.write_text("claims: []\n")
    with pytest.raises(ValueError, match=r"claims.yaml, the plan of .*mine.yaml, is none"):
        read_study(str(file))
    plan.unlink()
    with pytest.raises(FileNotFoundError, match=r"claims\.yaml"):
        read_study(str(file))
    file.write_text(json.dumps(values | {"plan": 3}))
    with pytest.raises(TypeError, match="must name its plan as a file beside it, got 3"):
        read_study(str(file))
