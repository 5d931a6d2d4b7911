"""Differences between models, on the same texts and between seeds."""

import numpy as np
import pytest
from scipy import stats

from dva_lens.statistics.inference.contrasts import (
    same_against_same,
    seed_contrasts,
    text_contrast,
)

TEXTS = [f"text {index}" for index in range(6)]


def test_pairing_removes_what_texts_have_in_common():
    generator = np.random.default_rng(0)
    text = 10 * generator.standard_normal((1, 6, 3))
    ours = text + 0.1 * generator.standard_normal((2, 6, 3)) + 1
    theirs = text + 0.1 * generator.standard_normal((3, 6, 3))
    found = text_contrast(ours, theirs, TEXTS)
    want = stats.ttest_rel(ours.mean(0), theirs.mean(0))
    np.testing.assert_allclose(found.p, want.pvalue, rtol=1e-9)
    assert (found.low > 0.5).all()


def test_different_texts_are_refused():
    with pytest.raises(ValueError, match="same texts"):
        text_contrast(np.zeros((1, 6)), np.zeros((1, 5)), TEXTS)


def test_separate_variances_are_welch():
    generator = np.random.default_rng(1)
    models = {"base": generator.standard_normal((3, 5)), "new": generator.standard_normal((4, 5))}
    found = seed_contrasts(models, "base")["new"]
    want = stats.ttest_ind(models["new"], models["base"], equal_var=False)
    low, high = want.confidence_interval()
    np.testing.assert_allclose(found.p, want.pvalue, rtol=1e-9)
    np.testing.assert_allclose([found.low, found.high], [low, high], rtol=1e-9)


def test_pooling_two_arms_is_students_t():
    generator = np.random.default_rng(2)
    models = {"base": generator.standard_normal((3, 5)), "new": generator.standard_normal((4, 5))}
    found = seed_contrasts(models, "base", variance="pooled")["new"]
    want = stats.ttest_ind(models["new"], models["base"])
    np.testing.assert_allclose(found.p, want.pvalue, rtol=1e-9)


def test_pooling_more_arms_adds_degrees_of_freedom():
    generator = np.random.default_rng(3)
    models = {name: generator.standard_normal((3, 2)) for name in "abcd"}
    found = seed_contrasts(models, "a", variance="pooled")
    assert list(found) == ["b", "c", "d"]
    assert found["b"].freedom.tolist() == [8, 8]


@pytest.mark.parametrize("seeds", [1, 2])
def test_few_seeds_are_labelled(seeds):
    generator = np.random.default_rng(4)
    models = {name: generator.standard_normal((seeds, 2)) for name in "ab"}
    found = seed_contrasts(models, "a")["b"]
    assert "no claim" in found.note
    assert np.isfinite(found.mean).all()
    assert np.isnan(found.low).all() == (seeds == 1)


def test_a_head_without_a_value_stays_alone():
    models = {"a": np.ones((3, 2)), "b": np.full((3, 2), 2.0)}
    models["b"][:, 1] = np.nan
    found = seed_contrasts(models, "a")["b"]
    assert found.mean[0] == 1
    assert found.p[0] == 0
    assert np.isnan(found.mean[1])
    assert np.isnan(found.p[1])


def test_identical_constants_do_not_differ():
    models = {"a": np.full((3, 1), 0.1) * 3, "b": np.full((3, 1), 0.3)}
    assert seed_contrasts(models, "a")["b"].p[0] == 1.0


def test_unknown_baselines_and_unequal_cells_are_refused():
    with pytest.raises(KeyError, match="'c'; there are: a, b"):
        seed_contrasts({"a": np.zeros((3, 2)), "b": np.zeros((3, 2))}, "c")
    with pytest.raises(ValueError, match="'b' has"):
        seed_contrasts({"a": np.zeros((3, 2)), "b": np.zeros((3, 4))}, "a")


def test_the_same_against_the_same_needs_two_seeds():
    values = np.random.default_rng(5).standard_normal((5, 6))
    found = same_against_same(values, TEXTS)
    want = text_contrast(values[:2], values[2:4], TEXTS)
    assert found.mean == want.mean
    assert same_against_same(values[:1], TEXTS) is None
