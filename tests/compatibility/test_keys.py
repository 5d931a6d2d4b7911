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


SMALL = {"layers": 4, "width": 96, "heads": 4, "vocabulary": 2048, "context": 128}
SHORT = {"steps": 120, "batch": 12, "learning_rate": 3e-3, "final_learning_rate": 3e-4}
FORMER_QUICK = {
    "name": "quick",
    "presets": ["transformer", "resformer-identity", "dva", "dva-separable"],
    "seeds": [0, 1],
    "size": SMALL,
    "recipe": {**SHORT, "warmup": 20, "eval_every": 30, "measurements": 5},
    "sequences": 24,
}


@pytest.mark.parametrize(
    ("name", "study"),
    [("quick", Study.from_dict(FORMER_QUICK)), ("reference", read_study("reference-gpu"))],
    ids=["quick", "reference"],
)
def test_a_built_in_study_keeps_its_keys(name, study, known):
    found = keys_of(study, **(known["about"] | {"vocabulary": 2048}))
    wanted = {key for label, key in known["keys"].items() if label.startswith(f"{name}/")}
    assert wanted
    assert wanted <= set(found.values())


ADDED = {
    "relative-values": "338c4bdf0343d1d1",
    "query-value-interaction": "95eab5b118c7e27f",
    "switch-head": "bc46f12b4a390eef",
    "embedding-qk": "5df5b52287d80d0c",
    "frozen-random": "fcd58be144086f1a",
    "static-learned": "04cb1f4bda96c3b2",
    "random-fixed": "cc44c7f5a708196e",
    "uniform": "751b063127c6293a",
    "taylor": "cd55f00dea5b7da4",
    "taylor-hybrid": "1e4aa5a4207c510a",
    "embedding-qk-hybrid": "8586d287759789f2",
    "random-fixed-hybrid": "8fee7ff0682cf241",
    "uniform-hybrid": "5d7d3b9ba65c5272",
    "shared-pattern": "830f38daf088c6dc",
    "wide": "58aac62428ce976c",
    "glu-mixer": "078734cdf9eecfcb",
    "generated-gate": "225b7bef0221bd69",
    "causal-mean": "a424c3ecddb26a54",
    "partial": "d43bfecae7adb8d1",
    "decay": "21508ebb5440aee7",
    "alibi": "fee6a4cdbf906547",
    "window": "cc18f832da6d09e8",
    "relu": "dacf7bb6826005d6",
    "disentangled": "dd4d9070cf3b5729",
    "linear": "c7c2fbe40e5f07e4",
    "routed": "b7e2e2ad8fc5213e",
    "hashed": "65b4517597d3a0de",
    "complex": "6880b9b99aa308c8",
    "landmark": "c72b1425d87cbb78",
    "combiner": "379855694472f873",
    "talking-heads": "1e3c5404437cd379",
    "dcformer": "faad6b0a5e45639b",
}


def test_presets_added_since_keep_their_keys(known):
    names = {"presets": list(ADDED), "seeds": [0]}
    found = keys_of(Study.from_dict(known["values"] | names), **known["about"])
    assert found == {f"{name}-0": key for name, key in ADDED.items()}
