"""Intervals of means over texts and over seeds."""

import numpy as np
import pytest
from scipy import stats

from dva_lens.statistics.inference.estimate import NEW_TEXT, RETRAINED, profile, retrained


def names(count):
    return [f"document {index}" for index in range(count)]


def test_few_documents_give_the_t_interval_of_scipy():
    values = np.random.default_rng(0).standard_normal((6, 3))
    found = profile(values, names(6))
    want = stats.ttest_1samp(values, 0.0)
    low, high = want.confidence_interval()
    np.testing.assert_allclose([found.low, found.high], [low, high], atol=1e-12)
    np.testing.assert_allclose(found.p, want.pvalue, atol=1e-12)
    assert found.estimand == NEW_TEXT
    assert found.units_count == 6
    assert "6 documents" in found.note


def test_documents_of_one_size_give_the_t_interval_however_many():
    values = np.random.default_rng(1).standard_normal((60, 3))
    for weights in (None, np.full((60, 1), 7.0)):
        found = profile(values, names(60), weights=weights)
        want = stats.ttest_1samp(values, 0.0)
        low, high = want.confidence_interval()
        np.testing.assert_allclose([found.low, found.high], [low, high], atol=1e-12)
        np.testing.assert_allclose(found.p, want.pvalue, atol=1e-12)
        np.testing.assert_allclose(found.freedom, 59)


def test_the_error_is_that_of_documents_that_vary_alike():
    """Its square is right on average, and varies as that of its degrees of freedom does."""
    sizes = np.array([1.0, 2.0, 3.0, 10.0, 4.0])[:, None]
    values = np.random.default_rng(2).standard_normal((5, 200_000))
    found = profile(values, names(5), weights=sizes)
    power = found.error**2
    share = sizes / sizes.sum()
    assert power.mean() == pytest.approx((share**2).sum(), rel=0.02)
    freedom = 2 * power.mean() ** 2 / power.var()
    assert found.freedom[0] == pytest.approx(freedom + 0.5 * (1 - freedom / 4), rel=0.02)


def test_a_p_value_and_its_interval_say_the_same():
    generator = np.random.default_rng(3)
    values = 0.5 + generator.standard_normal((9, 500))
    found = profile(values, names(9), weights=generator.integers(1, 20, (9, 500)))
    outside = (found.low > 0) | (found.high < 0)
    assert 0.1 < outside.mean() < 0.9
    np.testing.assert_array_equal(found.p < 0.05, outside)


@pytest.mark.parametrize("documents", [8, 24, 60])
def test_intervals_cover_where_length_goes_with_the_value(documents):
    generator = np.random.default_rng(documents)
    size = np.exp(generator.standard_normal((documents, 4000)))
    values = 0.5 * np.log(size) + generator.standard_normal(size.shape)
    found = profile(values, names(documents), weights=size)
    assert 0.93 <= ((found.low <= 0.5) & (found.high >= 0.5)).mean() <= 0.97


@pytest.mark.parametrize("sizes", [(1, 10), (1, 30), (1, 1, 10), (1, 10, 100)])
def test_intervals_cover_two_or_three_documents_of_unequal_length(sizes):
    values = np.random.default_rng(len(sizes)).standard_normal((len(sizes), 8000))
    weights = np.array(sizes, dtype=float)[:, None]
    found = profile(values, names(len(sizes)), weights=weights)
    assert 0.93 <= ((found.low <= 0) & (found.high >= 0)).mean() <= 0.975


def test_a_cell_that_one_document_holds_has_no_interval():
    values = np.random.default_rng(4).standard_normal((4, 2))
    values[1:, 0] = np.nan
    found = profile(values, names(4))
    assert np.isnan([found.low[0], found.high[0], found.p[0], found.error[0]]).all()
    assert np.isfinite([found.low[1], found.p[1]]).all()


def test_sequences_of_one_document_are_one_unit():
    generator = np.random.default_rng(3)
    documents = np.repeat(names(12), 5)
    alike = generator.standard_normal((12, 40)).repeat(5, axis=0)
    as_documents = profile(alike, documents)
    as_if_apart = profile(alike, names(60))
    width = (as_documents.high - as_documents.low).mean()
    wrong = (as_if_apart.high - as_if_apart.low).mean()
    assert width > 1.9 * wrong


@pytest.mark.parametrize("documents", [6, 15, 40])
def test_intervals_cover_new_documents_of_unequal_length(documents):
    generator = np.random.default_rng(documents)
    held = []
    for _ in range(6):
        belongs = np.repeat(np.arange(documents), generator.integers(1, 5, documents))
        values = generator.standard_normal((documents, 200))[belongs]
        values = values + generator.standard_normal(values.shape)
        found = profile(values, belongs.astype(str))
        held.append((found.low <= 0) & (found.high >= 0))
    assert 0.925 <= np.mean(held) <= 0.975


def test_nan_counts_nothing_and_an_empty_cell_stays_empty():
    values = np.random.default_rng(4).standard_normal((30, 3))
    values[:5, 0] = np.nan
    values[:, 1] = np.nan
    found = profile(values, names(30))
    assert found.mean[0] == pytest.approx(values[5:, 0].mean())
    assert np.isnan(found.mean[1])
    assert np.isnan(found.low[1])
    assert np.isfinite(found.low[[0, 2]]).all()


def test_weights_make_a_ratio_of_sums():
    values, weights = np.array([1.0, 3.0, 5.0]), np.array([1.0, 1.0, 2.0])
    assert profile(values, names(3), weights=weights).mean == pytest.approx(14 / 4)


def test_one_document_speaks_of_its_sequences():
    found = profile(np.arange(10.0), ["only"] * 10)
    assert "1 document" in found.note
    assert found.low < 4.5 < found.high


def test_one_sequence_has_no_interval():
    found = profile(np.array([[2.0, 3.0]]), ["only"])
    assert found.mean.tolist() == [2.0, 3.0]
    assert np.isnan(found.low).all()
    assert found.note == "1 sequence: no interval"
    assert not found.supports_claims


def test_constant_data_have_no_spread():
    found = profile(np.full((20, 2), 0.3), names(20))
    np.testing.assert_allclose(found.low, found.high)
    assert found.p.tolist() == [0.0, 0.0]
    assert profile(np.zeros(9), names(9)).p == 1.0


def test_documents_must_match_sequences():
    with pytest.raises(ValueError, match="4 names for 3 sequences"):
        profile(np.zeros(3), names(4))


def test_seeds_give_the_t_interval_of_scipy():
    values = np.random.default_rng(5).standard_normal((4, 7))
    found = retrained(values)
    low, high = stats.ttest_1samp(values, 0.0).confidence_interval()
    np.testing.assert_allclose([found.low, found.high], [low, high], atol=1e-12)
    assert found.estimand == RETRAINED
    assert found.supports_claims
    assert not found.note


@pytest.mark.parametrize("seeds", [1, 2])
def test_few_seeds_claim_nothing(seeds):
    found = retrained(np.random.default_rng(6).standard_normal((seeds, 2)))
    assert not found.supports_claims
    assert "no claim about architectures" in found.note
    assert np.isnan(found.low).all() == (seeds == 1)
