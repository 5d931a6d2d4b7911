"""Intervals of means over texts and over seeds."""

import time

import numpy as np
import pytest
from scipy import stats

from dva_lens.statistics.inference import bootstrap
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


def test_many_documents_agree_with_the_bootstrap_of_scipy():
    values = np.random.default_rng(1).standard_normal(60)
    found = profile(values, names(60), draws=20000)
    want = stats.bootstrap(
        (values,), np.mean, n_resamples=20000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    wide = np.sqrt(60 / 59) * stats.t.ppf(0.975, 59) / stats.norm.ppf(0.975)
    mean = values.mean()
    np.testing.assert_allclose(found.low, mean - wide * (mean - want.low), atol=0.01)
    np.testing.assert_allclose(found.high, mean + wide * (want.high - mean), atol=0.01)


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
        found = profile(values, belongs.astype(str), draws=1000)
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


def test_two_thousand_draws_of_the_promised_size_are_quick():
    values = np.random.default_rng(7).standard_normal((800, 12, 12))
    start = time.perf_counter()
    profile(values, np.repeat(names(100), 8), draws=bootstrap.DRAWS)
    assert time.perf_counter() - start < 5
