"""Models beside those that differ from them in one thing, read from configurations."""

import json
from dataclasses import replace
from pathlib import Path

from dva_lens.results.archive import Archive
from dva_lens.results.factors import FEEDFORWARD, FORM, HEADS, LADDER, factors_of, leap, steps
from dva_lens.results.runs import Run

BLANK = Run("", "", "", "", 0, {}, Path())


def archive(**models):
    runs = []
    for model, (heads, fed, form) in models.items():
        config = {
            "heads": heads,
            "width": 64 * heads,
            "feedforward": {"kind": fed, "hidden": heads},
            "value_form": {"kind": form, "experts": 2 if form == "switch-head" else 0},
            "value_source": {"kind": "own"},
        }
        runs.append(replace(BLANK, model=model, attrs={"config": json.dumps(config)}))
    return Archive(Path(), tuple(runs), {})


FOUND = factors_of(
    archive(
        base=(4, "swiglu", "static"),
        one=(1, "swiglu", "static"),
        static=(1, "none", "static"),
        pair=(1, "none", "pairwise"),
        expert=(1, "none", "switch-head"),
    )
)


def pairs(found):
    return {(step.model, step.baseline): step.words for step in found}


def test_a_step_differs_in_one_factor_and_stands_beside_the_nearest_before_it():
    assert pairs(steps(FOUND, HEADS, ("several", "one"))) == {
        ("one", "base"): "heads several → one"
    }
    assert pairs(steps(FOUND, FEEDFORWARD, ("with", "none"))) == {
        ("static", "one"): "feed-forward with → none"
    }
    forms = pairs(steps(FOUND, FORM, LADDER))
    assert forms["pair", "static"] == "value form static → pairwise"
    assert forms["expert", "static"] == "value form static → switch-head (experts 2)"
    more = factors_of(archive(a=(1, "none", "static"), b=(1, "none", "separable")))
    ladder = steps({**FOUND, **more}, FORM, LADDER)
    assert ("pair", "b") in pairs(ladder)


def test_a_leap_differs_in_all_of_its_factors_and_nothing_else():
    changed = {HEADS: ("several", "one"), FEEDFORWARD: ("with", "none")}
    assert pairs(leap(FOUND, changed)) == {
        ("static", "base"): "heads several → one, feed-forward with → none"
    }


def test_a_model_from_before_there_was_a_choice_of_scores_is_beside_one_that_made_it():
    early = archive(base=(4, "swiglu", "static"))
    said = json.loads(early.runs[0].attrs["config"])
    runs = [
        replace(BLANK, model=kind, attrs={"config": json.dumps(said | {"scores": {"kind": kind}})})
        for kind in ("dot-product", "uniform")
    ]
    found = factors_of(Archive(Path(), (*early.runs, *runs), {}))
    assert found["base"] == found["dot-product"]
    assert pairs(steps(found, "scores", ("dot-product",)))["uniform", "base"] == (
        "scores dot-product → uniform"
    )


def test_the_width_that_is_attended_is_a_factor_only_as_all_or_a_part():
    early = archive(base=(4, "swiglu", "static"))
    said = json.loads(early.runs[0].attrs["config"])
    runs = [
        replace(
            BLANK, model=str(width), attrs={"config": json.dumps(said | {"attended_width": width})}
        )
        for width in (0, 14, 28)
    ]
    found = factors_of(Archive(Path(), (*early.runs, *runs), {}))
    assert found["base"] == found["0"]
    assert found["14"] == found["28"] == found["base"] | {"attended channels": "a part"}


def test_a_model_whose_configuration_is_unknown_has_no_factors():
    unknown = replace(BLANK, model="gpt2", attrs={"config": "GPT2LMHeadModel"})
    assert factors_of(Archive(Path(), (unknown, BLANK), {})) == {}
