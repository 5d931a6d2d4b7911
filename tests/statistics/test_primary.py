"""Primary statistics against published definitions, re-derived from materialised patterns."""

from dataclasses import replace

import numpy as np
import pytest
import records
from evaluation import evaluate
from scipy import stats

from dva_lens.sites import AttentionSummary
from dva_lens.statistics.primary.importance import (
    distribution_entropy,
    uniform_importance_entropy,
)
from dva_lens.statistics.primary.sinks import THRESHOLDS, uniform_importance
from dva_lens.statistics.table import STATISTICS
from dva_lens.statistics.visible import uniform_received


def value(name, record):
    return evaluate(STATISTICS[name], record)


def test_resformers_entropy_as_its_script_computes_it():
    pieces = records.random_causal((40, 23), heads=3, kv_heads=3, concentration=2.0)
    found = value("importance_entropy", records.record_of(pieces))
    for layer, patterns in enumerate(pieces.pattern):
        for text, length in enumerate(pieces.lengths):
            received = patterns[text, :, :length, :length].mean(0).sum(0)
            want = stats.entropy(received / received.sum())
            assert found[layer, text] == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize(
    ("length", "ratio"), [(20, 0.8757), (100, 0.9108), (500, 0.9324), (2048, 0.9446)]
)
def test_uniform_token_importance_as_published(length, ratio):
    found = uniform_importance_entropy(np.array([length]))[0]
    assert found / np.log(length) == pytest.approx(ratio, abs=5e-5)


@pytest.mark.parametrize(
    ("length", "first", "entropy", "rows"),
    [
        (8, 0.3397, 1.7651, 1.3256),
        (16, 0.2113, 2.4108, 1.9170),
        (64, 0.0741, 3.7539, 3.2058),
        (128, None, 4.4386, 3.8782),
        (256, None, 5.1273, 4.5596),
        (512, None, 5.8181, 5.2462),
        (1024, None, 6.5100, 5.9358),
        (2048, None, 7.2025, 6.6269),
    ],
)
def test_the_uniform_table(length, first, entropy, rows):
    at = np.array([length])
    assert uniform_importance_entropy(at)[0] == pytest.approx(entropy, abs=5e-5)
    mean = STATISTICS["entropy"].reference(np.arange(1, length + 1)).mean()
    assert mean == pytest.approx(rows, abs=5e-5)
    if first is not None:
        assert uniform_importance(at)[0] == pytest.approx(first, abs=5e-5)


def test_sink_importance_and_rate_as_sail_sg_computes_them():
    pieces = records.random_causal((80, 64, 30), heads=3, kv_heads=1, concentration=2.5)
    pieces.pattern[0, 0, 0, :, :] *= 0.4
    pieces.pattern[0, 0, 0, :80, 0] += 0.6
    record = records.record_of(pieces)
    importance, rate = value("sink_importance", record), value("sink_rate", record)
    for text, length in enumerate(pieces.lengths):
        size = min(length, 64)
        cut = pieces.pattern[:, text, :, :size, :size]
        alpha = cut.sum(2) / np.arange(size, 0, -1)
        np.testing.assert_allclose(importance[:, text], alpha[..., 0], atol=1e-12)
        for place, threshold in enumerate(THRESHOLDS):
            want = alpha[..., 0] > threshold
            np.testing.assert_array_equal(rate[:, text, :, place], want)
    assert rate[0, 0, 0, THRESHOLDS.index(0.3)] == 1
    assert rate.mean() < 1


@pytest.mark.parametrize("length", [8, 9, 10])
def test_short_texts_pass_the_official_threshold_by_themselves(length):
    passes = STATISTICS["sink_rate"].reference(np.array([length]))[0, THRESHOLDS.index(0.3)]
    assert passes == (length <= 9)


@pytest.mark.parametrize(("length", "excess"), [(64, -1.32), (2048, -2.92)])
def test_subtracting_the_reference_does_not_remove_length(length, excess):
    seen = records.visibility((length,))
    pattern = 0.5 * records.uniform_pattern(seen)
    pattern[..., 0] += 0.5 * seen[None, :, None, :, 0]
    record = records.record_of(records.random_pieces(pattern, seen, (length,), width=1))
    assert value("head_importance_excess", record)[0, 0, 0] == pytest.approx(excess, abs=5e-3)


def test_sink_free_entropy_drops_the_first_key():
    pieces = records.random_causal((12, 9), sink=0.5, concentration=2.0)
    found = value("sink_free_entropy", records.record_of(pieces))
    for text, length in enumerate(pieces.lengths):
        for query in range(1, length):
            rest = pieces.pattern[:, text, :, query, 1 : query + 1]
            want = stats.entropy(rest, axis=-1)
            np.testing.assert_allclose(found[:, text, :, query], want, atol=1e-10)


@pytest.mark.parametrize("strength", [8.0, 20.0])
def test_entropy_without_a_sink_that_takes_nearly_everything(strength):
    """The first key takes .9995 and more; float32 would hold 1e-7 of it, and no entropy."""
    seen = records.visibility((300,))
    pattern = records.random_pattern(seen, layers=2, heads=2)
    pattern[..., 1:] *= np.exp(-strength)
    pattern[..., 0] = seen[:, :, 0] - pattern[..., 1:].sum(-1)
    pieces = records.random_pieces(pattern, seen, (300,), kv_heads=2)
    record = records.record_of(pieces)
    single = replace(record, layers=tuple(_in_float32(layer) for layer in record.layers))
    rest = pattern[..., 1:, 1:]
    want = stats.entropy(rest, axis=-1)
    assert pattern[..., 1:, 0].min() > 0.9995
    np.testing.assert_allclose(value("sink_free_entropy", record)[..., 1:], want, rtol=1e-12)
    found = value("sink_free_entropy", single)[..., 1:]
    # Two sums rounded to float32, divided by each other, plus a logarithm of one of them.
    budget = np.finfo(np.float32).eps * (3 * (want + 2 * strength) + 1)
    assert (np.abs(found - want) <= budget).all()
    back = np.arange(1, 300)[:, None] - np.arange(1, 300)
    far = value("sink_free_distance", single)[..., 1:]
    want = (rest * back).sum(-1) / rest.sum(-1)
    np.testing.assert_allclose(far, want, rtol=4 * np.finfo(np.float32).eps)


def test_nothing_is_said_where_the_first_key_is_all_there_is():
    seen = records.visibility((9,), window=4)
    pattern = records.random_pattern(seen)
    pattern[..., 2, :] = np.eye(9)[0]
    pattern[..., 3, 1:] *= 1e-320
    record = records.record_of(records.random_pieces(pattern, seen, (9,), kv_heads=1))
    for name in ("sink_free_entropy", "sink_free_distance"):
        said = np.isfinite(value(name, record)[0, 0, 0])
        assert said.tolist() == [False, True] + 7 * [False]


def _in_float32(layer):
    held = {
        name: each.astype(np.float32) if each.dtype.kind == "f" else each
        for name, each in vars(layer.summary).items()
    }
    return replace(layer, summary=AttentionSummary(**held))


def test_divided_weights_ignore_the_row_mass():
    pieces = records.random_causal((12,), sink=1.0)
    pattern = (
        pieces.pattern / np.where(pieces.pattern.sum(-1) > 0, pieces.pattern.sum(-1), 1)[..., None]
    )
    whole = records.random_pieces(pattern, pieces.seen, pieces.lengths)
    for name in ("normalised_entropy", "effective_keys", "sink_free_entropy"):
        found = value(name, records.record_of(pieces))
        np.testing.assert_allclose(found, value(name, records.record_of(whole)), atol=1e-10)
    raw = value("entropy", records.record_of(pieces))
    assert not np.allclose(raw, value("entropy", records.record_of(whole)), equal_nan=True)


@pytest.mark.parametrize("options", [{}, {"window": 4}, {"causal": False}])
def test_what_uniform_attention_gives_each_key(options):
    seen = records.visibility((11, 6), **options)
    summary = records.uniform_record((11, 6), **options).layers[0].summary
    found = uniform_received(summary.visible, summary.viewers, np.array([11, 6]))
    want = records.uniform_pattern(seen)[0].sum((1, 2))
    np.testing.assert_allclose(np.nan_to_num(found), want, atol=1e-12)


def test_uniform_sight_both_ways_within_a_window():
    options = {"window": 4, "causal": False}
    seen = records.visibility((11, 6, 2), **options)
    summary = records.uniform_record((11, 6, 2), **options).layers[0].summary
    found = uniform_received(summary.visible, summary.viewers, np.array([11, 6, 2]))
    want = records.uniform_pattern(seen)[0].sum((1, 2))
    np.testing.assert_allclose(np.nan_to_num(found), want, atol=1e-12)


def test_drains_before_and_after_the_output_projection():
    pieces = records.random_causal((9, 6), heads=4, kv_heads=2)
    pieces.values[..., 0, :] *= 0.01
    record = records.record_of(pieces)
    before, after = value("value_drain", record), value("written_value_drain", record)
    assert (before < 0.1).all()
    text, layer, group, length = 1, 0, 1, 6
    norms = np.linalg.norm(pieces.values[layer, text, group, :length], axis=-1)
    assert before[layer, text, group] == pytest.approx(norms[0] / np.median(norms))
    written = np.einsum(
        "kd,hdm->hkm", pieces.values[layer, text, group, :length], pieces.output[layer, 2:]
    )
    sizes = np.sqrt((written**2).sum(-1).mean(0))
    assert after[layer, text, group] == pytest.approx(sizes[0] / np.median(sizes))


def test_static_values_are_not_dynamic_and_pair_values_are():
    assert value("dynamism", records.random_record()) == pytest.approx(0, abs=1e-12)
    pieces = records.random_causal((8,), pair=True)
    found = value("dynamism", records.record_of(pieces))
    assert (found > 0.1).all()
    gated = records.random_causal((8,))
    gate = np.random.default_rng(0).uniform(0.1, 2, (2, 1, 4, 8, 1, 4))
    moved = records.Pieces(
        gated.pattern, gate * gated.pairs, gated.output, gated.lengths, gated.seen
    )
    assert (value("dynamism", records.record_of(moved)) > 0.01).all()


def test_sources_keep_their_names():
    found = value("value_source_share", records.random_record())
    assert found.shape == (2, 2, 2, 4)
    np.testing.assert_allclose(found.sum(-1), 1.0)
    assert (found[..., 2:] == 0).all()


def test_loss_leaves_padding_out():
    record = records.random_record((9, 5))
    want = [np.nanmean(row) for row in record.loss]
    np.testing.assert_allclose(value("loss", record), want)


def test_a_record_without_loss_says_so():
    record = records.record_of(records.random_causal(), loss=False)
    with pytest.raises(KeyError, match="'loss' was not recorded"):
        value("loss", record)


def test_random_weights_read_the_published_panel():
    length, heads, model, width = 2048, 4, 256, 32
    generator = np.random.default_rng(0)
    states = generator.standard_normal((length, model)).astype(np.float32)
    received = np.zeros(length)
    for _ in range(heads):
        query, key = 0.02 * generator.standard_normal((2, model, width)).astype(np.float32)
        scores = np.exp(np.tril((states @ query) @ (states @ key).T) / np.sqrt(width))
        weights = np.tril(scores)
        received += (weights / weights.sum(-1, keepdims=True)).sum(0, dtype=np.float64) / heads
    found = distribution_entropy(received[None])[0]
    assert 7.194 <= found <= 7.204
