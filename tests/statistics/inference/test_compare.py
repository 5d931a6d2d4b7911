"""Comparisons of models over depth, and plans of claims held against them."""

from dataclasses import replace

import numpy as np
import pytest

from dva_lens.statistics.inference.compare import adjust, compare_cells
from dva_lens.statistics.inference.depth import MIDDLE_HALF, SLOPE, coefficients
from dva_lens.statistics.inference.equivalence import power
from dva_lens.statistics.inference.estimate import RETRAINED, Estimate
from dva_lens.statistics.inference.multiplicity import benjamini_hochberg
from dva_lens.statistics.inference.plan import (
    Claim,
    claims_from,
    former_names,
    judge,
    judge_estimates,
)

TEXTS = [f"text {index}" for index in range(10)]


def conditions(shift=2.0, seeds=4):
    generator = np.random.default_rng(0)
    text = generator.standard_normal((1, 10, 1))

    def condition(layers, by):
        noise = 0.1 * generator.standard_normal((seeds, 10, layers))
        return text + noise + 0.1 * generator.standard_normal((seeds, 1, 1)) + by

    return {"base": condition(4, 0.0), "higher": condition(6, shift), "same": condition(4, 0.0)}


def compare(statistic, models, documents, *, baseline):
    """Compare models of any depth by their middle half and their slope."""
    contrasts = (MIDDLE_HALF, SLOPE)
    numbers = {
        name: np.stack(
            [values @ coefficients(each, np.isfinite(values[0, 0])) for each in contrasts], axis=-1
        )
        for name, values in models.items()
    }
    cells = [(statistic, contrast) for contrast in contrasts]
    return compare_cells(cells, numbers, documents, baseline=baseline)


def test_both_questions_are_answered_apart():
    found = compare("entropy", conditions(), TEXTS, baseline="base")
    assert [(entry.model, entry.contrast) for entry in found] == [
        ("higher", "middle half"),
        ("same", "middle half"),
        ("higher", "slope"),
        ("same", "slope"),
    ]
    first = found[0]
    assert first.text.estimand != first.retrained.estimand
    assert first.text.units_count == 10
    assert first.retrained.units_count == 4
    assert first.same is not None
    assert abs(first.same.mean) < 0.5 < first.text.low


def test_verdicts_follow_the_adjusted_p():
    found = adjust(compare("entropy", conditions(), TEXTS, baseline="base"))
    assert found[0].verdict == "higher"
    assert found[1].verdict == "undecided"
    explored = adjust(found, benjamini_hochberg)
    assert explored[0].retrained_adjusted <= found[0].retrained_adjusted


def test_two_seeds_speak_of_checkpoints_only():
    found = compare("entropy", conditions(seeds=2), TEXTS, baseline="base")
    assert found[0].verdict == (
        "higher for these checkpoints (2 seeds: no claim about architectures)"
    )


def test_an_unknown_baseline_is_named():
    with pytest.raises(KeyError, match="'nothing'; there are: base, higher, same"):
        compare("entropy", conditions(), TEXTS, baseline="nothing")


def test_claims_are_supported_refuted_or_undecided():
    claims = claims_from(
        {
            "claims": [
                {"statistic": "entropy", "model": "higher", "direction": "higher"},
                {"statistic": "entropy", "model": "higher", "direction": "lower"},
                {"statistic": "entropy", "model": "same", "direction": "higher", "margin": 0.0},
                {"statistic": "entropy", "model": "same", "direction": "equal", "margin": 1.0},
                {"statistic": "entropy", "model": "higher", "direction": "equal", "margin": 0.5},
                {"statistic": "entropy", "model": "other", "direction": "higher"},
                {
                    "statistic": "entropy",
                    "model": "same",
                    "direction": "equal",
                    "margin": 1.0,
                    "test": "text",
                },
            ]
        }
    )
    comparisons = compare("entropy", conditions(), TEXTS, baseline="base")
    answers = [verdict.answer for verdict in judge(claims, comparisons)]
    assert answers == [
        "supported",
        "refuted",
        "undecided",
        "supported",
        "refuted",
        "undecided",
        "supported",
    ]
    assert "was not compared" in judge(claims, comparisons)[5].reason


@pytest.mark.parametrize(("direction", "side"), [("higher", "for"), ("lower", "against")])
def test_what_only_the_other_claims_leave_undecided_is_said(direction, side):
    claim = Claim(statistic="entropy", model="model", direction=direction)
    mean, error = 2.2, 1.0  # one-sided p of .025 with many degrees of freedom
    low, high = mean - 1.96 * error, mean + 1.96 * error
    one = Estimate(
        *map(np.array, (mean, low, high, 0.03, error, 50.0)), 0.95, RETRAINED, units_count=5
    )
    none = replace(one, mean=np.array(0.0))
    (verdict,) = judge_estimates([claim], [one])
    assert verdict.answer != "undecided"
    verdicts = judge_estimates([claim] * 5, [one, *[none] * 4])
    assert {verdict.answer for verdict in verdicts} == {"undecided"}
    words = f"{side} it if it were the only claim, and not among all of them"
    assert [verdict.reason for verdict in verdicts] == [words, *["the data allow both"] * 4]


def test_former_names_of_a_plan_are_read_and_told():
    plan = {"claims": [{"statistic": "e", "arm": "a", "direction": "lower"}]}
    (claim,) = claims_from(plan)
    assert claim == Claim(statistic="e", model="a", direction="lower")
    assert "`model`" in former_names(plan)
    assert not former_names({"claims": [{"model": "a"}]})
    old = {"statistic": "e", "model": "a", "direction": "lower", "contrast": "all layers"}
    assert claims_from({"claims": [old]})[0].contrast == "mean"
    with pytest.raises(ValueError, match=r"claims\[0\]: arm is the former name of model;"):
        claims_from({"claims": [{**old, "arm": "a"}]})


def test_verdicts_say_what_the_design_could_have_found():
    claims = [
        Claim(statistic="entropy", model="same", direction="higher"),
        Claim(statistic="entropy", model="same", direction="equal", margin=1.0),
    ]
    higher, equal = judge(claims, compare("entropy", conditions(), TEXTS, baseline="base"))
    error, freedom = float(higher.estimate.error), float(higher.estimate.freedom)
    assert power(error, freedom, higher.detectable, alpha=0.1) == pytest.approx(0.8, abs=1e-6)
    assert np.isnan(higher.power)
    assert equal.power > 0.9


def test_two_seeds_decide_nothing_about_architectures():
    comparisons = compare("entropy", conditions(seeds=2), TEXTS, baseline="base")
    verdict = judge([Claim(statistic="entropy", model="higher", direction="higher")], comparisons)[
        0
    ]
    assert verdict.answer == "undecided"
    assert "2 seeds" in verdict.reason


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({}, "A plan lacks claims; it needs claims"),
        ({"claims": []}, "claims must be a list of at least 1"),
        ({"claims": [3]}, r"claims\[0\] must be a mapping"),
        ({"claim": []}, r"Unknown key 'claim' in a plan \(did you mean 'claims'\?\)"),
        (
            {"claims": [{"statistic": "e", "model": "a", "direction": "lower", "margin": "5"}]},
            r"claims\[0\]\.margin must be a number, got '5'",
        ),
        (
            {"claims": [{"statistic": 1, "model": "a", "direction": "lower"}]},
            r"claims\[0\]\.statistic must be text, got 1",
        ),
        (
            {"claims": [{"statistic": "entropy", "model": "a"}]},
            r"claims\[0\] lacks direction; it needs statistic, model, direction",
        ),
        (
            {"claims": [{"statistic": "e", "model": "a", "direction": "hihger"}]},
            "did you mean 'higher'",
        ),
        (
            {"claims": [{"statistic": "e", "model": "a", "direction": "equal"}]},
            "needs a margin above 0",
        ),
        (
            {"claims": [{"statistic": "e", "model": "a", "direction": "lower", "margn": 1}]},
            "did you mean 'margin'",
        ),
    ],
)
def test_plans_are_read_strictly(plan, message):
    with pytest.raises((ValueError, TypeError), match=message):
        claims_from(plan)


def test_a_verdict_is_muted_where_the_same_differs_from_itself_by_more():
    models = conditions(seeds=4)
    models["base"][:2] += 6.0
    found = adjust(compare("entropy", models, TEXTS, baseline="base"))
    first = found[0]
    assert abs(first.same.mean) > abs(first.text.mean)
    assert first.text_adjusted < 0.05
    assert first.muted
    assert first.word == "undecided"
    assert first.verdict == "undecided (seeds of base differ by more)"


def test_many_cells_at_once_are_what_each_is_alone():
    models = {name: values[:, :, :4] for name, values in conditions().items()}
    cells = [("entropy", str(layer)) for layer in range(4)]
    joint = compare_cells(cells, models, TEXTS, baseline="base")
    assert [(entry.contrast, entry.model) for entry in joint[:3]] == [
        ("0", "higher"),
        ("0", "same"),
        ("1", "higher"),
    ]
    for layer in range(4):
        one = {name: values[:, :, [layer]] for name, values in models.items()}
        alone = compare_cells(cells[layer : layer + 1], one, TEXTS, baseline="base")
        for entry, again in zip(joint[2 * layer : 2 * layer + 2], alone, strict=True):
            assert float(entry.text.low) == pytest.approx(float(again.text.low))
            assert float(entry.retrained.p) == pytest.approx(float(again.retrained.p))
            assert float(entry.same.mean) == pytest.approx(float(again.same.mean))


def test_sequences_weigh_what_they_are_told_to():
    models = {"base": np.zeros((1, 3, 1)), "other": np.array([[[0.0], [0.0], [4.0]]])}
    (found,) = compare_cells(
        [("entropy", "mean")],
        models,
        ["a", "b", "c"],
        baseline="base",
        weights=np.array([[1.0], [1.0], [2.0]]),
    )
    assert float(found.text.mean) == 2.0
    assert float(found.retrained.mean) == 2.0
