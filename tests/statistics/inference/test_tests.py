"""Adjusted p values, equivalence and power, depth, fairness, and heads as distributions."""

import numpy as np
import pytest
from scipy import stats

from dva_lens.statistics.inference import depth, distributions, fairness, student
from dva_lens.statistics.inference.equivalence import (
    detectable,
    equivalence,
    equivalence_power,
    power,
)
from dva_lens.statistics.inference.multiplicity import benjamini_hochberg, holm


def over_depth(values, contrast):
    held = np.isfinite(values)
    return (depth.coefficients(contrast, held) * np.where(held, values, 0.0)).sum(-1)


@pytest.mark.parametrize("freedom", [1, 2.5, 7, 1e6, np.inf, 0, np.nan])
def test_students_t_is_that_of_scipy_to_the_bit(freedom):
    rng = np.random.default_rng(0)
    t = np.concatenate([5 * rng.standard_normal(2000), [0, np.inf, -np.inf, np.nan]])
    chance = np.concatenate([rng.uniform(size=2000), [0.5, 0.975, 1, np.nan, 2]])
    np.testing.assert_array_equal(student.upper_tail(t, freedom), stats.t.sf(t, freedom))
    np.testing.assert_array_equal(student.quantile(chance, freedom), stats.t.ppf(chance, freedom))


def test_benjamini_hochberg_agrees_with_scipy():
    p = np.random.default_rng(0).uniform(size=40) ** 2
    want = stats.false_discovery_control(p)
    np.testing.assert_allclose(benjamini_hochberg(p), want, atol=1e-15)


def test_holm_of_a_worked_example():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


def test_nan_is_no_test():
    p = np.array([[0.01, np.nan], [0.04, 0.2]])
    found = holm(p)
    assert np.isnan(found[0, 1])
    np.testing.assert_allclose(found[0, 0], 0.03)
    assert np.isnan(holm(np.full(2, np.nan))).all()


def test_impossible_p_values_are_refused():
    with pytest.raises(ValueError, match=r"got 1\.5"):
        holm(np.array([0.1, 1.5]))


def test_equivalence_is_two_one_sided_tests():
    values = np.random.default_rng(1).standard_normal(20) * 0.3
    error = values.std(ddof=1) / np.sqrt(20)
    above = stats.ttest_1samp(values, -0.5, alternative="greater").pvalue
    below = stats.ttest_1samp(values, 0.5, alternative="less").pvalue
    assert equivalence(values.mean(), error, 19, 0.5) == pytest.approx(max(above, below))


def test_equivalence_without_spread_is_decided_by_the_margin():
    assert equivalence(np.array([0.1, 2.0]), np.zeros(2), 3, 1.0).tolist() == [0.0, 1.0]


def test_a_margin_must_be_positive():
    with pytest.raises(ValueError, match="margin must be positive"):
        equivalence(0.0, 1.0, 3, 0.0)


def test_power_agrees_with_simulation():
    generator = np.random.default_rng(2)
    error, freedom = np.sqrt(2 / 5), 8.0  # two models of five seeds each, spread one
    draws = generator.standard_normal((2, 5, 40000))
    spread = np.sqrt(draws.var(1, ddof=1).sum(0) / 5)
    difference = draws[1].mean(0) - draws[0].mean(0)
    found = np.abs(difference + 2) / spread > stats.t.ppf(0.975, 8)
    assert power(error, freedom, 2.0) == pytest.approx(found.mean(), abs=0.01)
    equal = np.abs(difference) + stats.t.ppf(0.95, 8) * spread < 1.5
    assert equivalence_power(error, freedom, 1.5) == pytest.approx(equal.mean(), abs=0.01)


def test_the_detectable_difference_is_detected():
    found = detectable(0.2, 8, chance=0.8)
    assert power(0.2, 8, found) == pytest.approx(0.8, abs=1e-6)


def test_depth_summaries_of_a_line():
    values = 3.0 + 2.0 * depth.relative_depth(8)
    assert over_depth(values, "slope") == pytest.approx(2.0)
    assert over_depth(values, "middle half") == pytest.approx(4.0)
    assert over_depth(np.array([[0.0, 0, 1, 1, 1, 1, 0, 0]]), "middle half")[0] == 1.0
    values[3] = np.nan
    assert over_depth(values, "slope") == pytest.approx(2.0)


@pytest.mark.parametrize("layers", [1, 2, 3, 4, 5])
def test_shallow_models_have_a_middle(layers):
    assert over_depth(np.ones(layers), "middle half") == 1.0
    assert np.isnan(over_depth(np.ones(layers), "slope")) == (layers == 1)


def test_equal_steps_and_equal_losses():
    steps = [np.array([0, 10, 20]), np.array([0, 10])]
    assert fairness.common_step(steps) == 10
    losses = [np.array([5.0, 3.0, 2.0]), np.array([5.0, 4.0])]
    target = fairness.common_loss(losses)
    assert target == 4.0
    values = np.array([[0.0], [1.0], [2.0]])
    assert fairness.at_loss(values, losses[0], target) == pytest.approx(0.5)
    assert np.isnan(fairness.at_loss(values, losses[0], 1.0)).all()
    with pytest.raises(ValueError, match="share no"):
        fairness.common_step([np.array([1]), np.array([2])])


def test_heads_are_compared_as_a_crowd():
    ours = np.random.default_rng(3).standard_normal((2, 8))
    assert distributions.wasserstein(ours, ours[:, ::-1]) == 0.0
    assert distributions.wasserstein(ours, ours + 2) == pytest.approx(2.0)
    assert np.isnan(distributions.wasserstein(ours, np.full(3, np.nan)))
    across, within = distributions.wasserstein_between_seeds(ours, ours + 2)
    assert across.shape == (4,)
    assert within.shape == (2,)


def test_quantiles_leave_out_heads_without_a_value():
    values = np.array([[1.0, 2.0, 3.0, np.nan], [np.nan] * 4])
    found = distributions.head_quantiles(values, (0.0, 0.5, 1.0))
    assert found[0].tolist() == [1.0, 2.0, 3.0]
    assert np.isnan(found[1]).all()


def test_rank_agreement_of_definitions():
    ours = np.arange(6.0)
    assert distributions.rank_agreement(ours, np.exp(ours)) == pytest.approx(1.0)
    assert distributions.rank_agreement(ours, -ours) == pytest.approx(-1.0)
    assert np.isnan(distributions.rank_agreement(ours, np.ones(6)))
    with pytest.raises(ValueError, match="same heads"):
        distributions.rank_agreement(ours, ours[:3])
