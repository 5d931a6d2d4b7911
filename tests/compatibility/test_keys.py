"""The key of a training is made of what decides its weights, and of no name that has changed."""

import pytest

from dva_lens.study.builtin import read_study
from dva_lens.study.definition import Study
from dva_lens.study.planned import planned_runs


def keys_of(study, **about):
    return {run.label: run.key for run in planned_runs(study, **about)}


@pytest.fixture(scope="module")
def known(expected):
    return expected["keys"]


def test_every_preset_and_model_of_the_grid_keeps_its_key(known):
    found = keys_of(Study.from_dict(known["values"]), **known["about"])
    wanted = {label: key for label, key in known["keys"].items() if "/" not in label}
    assert len(wanted) > 150
    assert found == wanted


def test_a_matched_model_keeps_its_key(known):
    some = {"presets": ["transformer", "dva", "svformer"], "match": known["match"]}
    found = keys_of(Study.from_dict(known["values"] | some), **known["about"])
    assert found == {label: known["keys"][f"matched/{label}"] for label in found}


@pytest.mark.parametrize("name", ["quick", "reference"])
def test_a_built_in_study_keeps_its_keys(name, known):
    found = keys_of(read_study(name), **(known["about"] | {"vocabulary": 2048}))
    wanted = {key for label, key in known["keys"].items() if label.startswith(f"{name}/")}
    assert wanted <= set(found.values())


ADDED = {"relative-values": "338c4bdf0343d1d1", "switch-head": "bc46f12b4a390eef"}


def test_presets_added_since_keep_their_keys(known):
    names = {"presets": list(ADDED), "seeds": [0]}
    found = keys_of(Study.from_dict(known["values"] | names), **known["about"])
    assert found == {f"{name}-0": key for name, key in ADDED.items()}
