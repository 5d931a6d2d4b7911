"""Numbers of layers, texts and clouds: atlas, triad, similarity, geometry, entropy bound."""

import numpy as np
import pytest
import records
import tiles
from evaluation import evaluate

from dva_lens.statistics.extended.atlas import VIRTUAL, atlas, strengths
from dva_lens.statistics.extended.bound import lowest_entropy, score_sigma
from dva_lens.statistics.extended.geometry import (
    cloud_numbers,
    effective_rank,
    rank_residual,
    token_similarity,
)
from dva_lens.statistics.extended.measures import MEASURES
from dva_lens.statistics.extended.similarity import PatternGram, linear_cka
from dva_lens.statistics.extended.tiles import gather
from dva_lens.statistics.table import STATISTICS


def planted(length=32, layers=4):
    """Return pieces with a sink at position 0 in layers 1-3 and at position 5 in layer 2."""
    seen = records.visibility((length,))
    pattern = np.array(records.uniform_pattern(seen, layers=layers, heads=2))
    for layer, place, head, share in (
        (1, 0, 0, 0.8),
        (2, 0, 0, 0.7),
        (3, 0, 1, 0.6),
        (2, 5, 1, 0.5),
    ):
        sees = np.arange(length) >= place
        pattern[layer, 0, head, sees] *= 1 - share
        pattern[layer, 0, head, sees, place] += share
    return records.random_pieces(pattern, seen, (length,), kv_heads=2)


def test_the_atlas_finds_planted_sinks_with_their_layers():
    record = records.record_of(planted())
    found = atlas(record)
    assert [(sink.position, sink.born, sink.dies, sink.primary) for sink in found] == [
        (0, 1, 3, True),
        (5, 2, 2, False),
    ]
    assert found[0].heads == (0, 1, 1, 1)
    assert found[0].token == record.tokens[0, 0]
    assert found[0].strength > 0.8
    count = evaluate(STATISTICS["sink_count"], record)[:, 0]
    assert count.tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]
    other = evaluate(STATISTICS["strongest_other_sink"], record)[2, 0, 1]
    assert other == pytest.approx(found[1].strength)


def test_strengths_are_means_over_those_who_see_the_key():
    pieces = records.random_causal((20,), heads=1, kv_heads=1)
    found = strengths(records.record_of(pieces).layers[0].summary)[0, 0]
    column = pieces.pattern[0, 0, 0][:, 6]
    assert found[1 + 6] == pytest.approx(column[6:].mean())
    assert np.isfinite(found[1 : 1 + 13]).all()
    assert np.isnan(found[1 + 13 :]).all()


def test_a_learned_sink_is_a_virtual_key():
    record = records.random_record((32,), sink=6.0)
    found = atlas(record)
    assert found[0].position == VIRTUAL
    assert found[0].primary
    mass = evaluate(STATISTICS["virtual_mass"], record)
    np.testing.assert_allclose(mass[1], 1 - record.layers[1].summary.row_mass)
    assert np.nanmean(mass) > 0.5


def test_uniform_attention_has_no_sinks_in_long_texts():
    assert atlas(records.uniform_record((64,))) == ()


def test_the_triad_stands_together_where_it_was_planted():
    pieces = planted(length=48)
    record = records.record_of(pieces)
    layer = record.layers[1]
    order = np.argsort(np.argsort(layer.summary.received.mean(1) / layer.summary.viewers))
    layer.written.norm[:] = 100.0 - order[:, None]
    layer.stream.norm[:] = order
    found = evaluate(STATISTICS["triad_agreement"], record)[1, 0]
    np.testing.assert_allclose(found, 1.0, atol=0.02)


def rounded(sizes, seed=0):
    """Return sizes with the noise of an accumulation in float32."""
    return sizes * (1 + 1e-6 * np.random.default_rng(seed).standard_normal(sizes.shape))


def test_the_triad_does_not_rank_rounding_noise():
    record = records.record_of(planted(length=48))
    layer = record.layers[1]
    tied = np.repeat([1.0, 2.0, 3.0], 16)[None]
    layer.written.norm[:], layer.stream.norm[:] = tied, tied[:, ::-1]
    exact = evaluate(STATISTICS["triad_agreement"], record)[1, 0]
    layer.written.norm[:] = rounded(layer.written.norm)
    layer.stream.norm[:] = rounded(layer.stream.norm, seed=1)
    found = evaluate(STATISTICS["triad_agreement"], record)[1, 0]
    np.testing.assert_allclose(found, exact, atol=1e-12)
    layer.stream.norm[:] = rounded(np.ones((1, 48)))
    assert np.isnan(evaluate(STATISTICS["triad_agreement"], record)[1, 0, 1:]).all()


def test_a_chain_of_small_steps_is_no_tie():
    record = records.record_of(planted(length=48))
    layer = record.layers[1]
    order = np.argsort(np.argsort(layer.summary.received.mean(1) / layer.summary.viewers))
    layer.written.norm[:] = 1.0 - 1e-3 * order[:, None]
    layer.stream.norm[:] = 1.0 + 1e-3 * order
    assert evaluate(STATISTICS["triad_agreement"], record)[1, 0, 2] == pytest.approx(1.0)


def test_layer_similarity_streams_over_rows():
    pieces = records.random_causal((20,), layers=3)
    state = PatternGram.of(pieces.pattern[:, 0, :, :7]).merge(
        PatternGram.of(pieces.pattern[:, 0, :, 7:])
    )
    flat = pieces.pattern[:, 0].reshape(3, -1)
    size = np.linalg.norm(flat, axis=1)
    np.testing.assert_allclose(state.summary(), flat @ flat.T / np.outer(size, size), atol=1e-12)


def test_uniform_similarity_is_a_cosine():
    pieces = records.random_causal((15,))
    found = evaluate(STATISTICS["uniform_similarity"], records.record_of(pieces))
    even = records.uniform_pattern(pieces.seen)[0, 0, 0].ravel()
    one = pieces.pattern[1, 0, 2].ravel()
    want = one @ even / np.linalg.norm(one) / np.linalg.norm(even)
    assert found[1, 0, 2] == pytest.approx(want)


def test_unbiased_cka_of_unrelated_and_of_turned_states():
    generator = np.random.default_rng(0)
    ours = generator.standard_normal((40, 60))
    theirs = generator.standard_normal((40, 80))
    turn, _ = np.linalg.qr(generator.standard_normal((60, 60)))
    assert abs(linear_cka(ours, theirs)) < 0.1
    assert linear_cka(ours, 3 * ours @ turn + 5) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="same positions, got 40 and 39"):
        linear_cka(ours, theirs[1:])
    with pytest.raises(ValueError, match="at least 4 positions"):
        linear_cka(ours[:3], theirs[:3])


def test_unbiased_cka_of_a_small_case_by_its_sums():
    generator = np.random.default_rng(1)
    ours, theirs = generator.standard_normal((6, 3)), generator.standard_normal((6, 2))

    def hsic(one, other):
        one, other = one @ one.T, other @ other.T
        np.fill_diagonal(one, 0)
        np.fill_diagonal(other, 0)
        n = len(one)
        ones = np.ones(n)
        middle = ones @ one @ ones * (ones @ other @ ones) / ((n - 1) * (n - 2))
        return np.trace(one @ other) + middle - 2 / (n - 2) * ones @ one @ other @ ones

    want = hsic(ours, theirs) / np.sqrt(hsic(ours, ours) * hsic(theirs, theirs))
    assert linear_cka(ours, theirs) == pytest.approx(want)


def test_effective_rank_of_known_spectra():
    turn, _ = np.linalg.qr(np.random.default_rng(2).standard_normal((30, 5)))
    assert effective_rank(turn) == pytest.approx(5.0)
    assert effective_rank(np.outer(np.arange(1.0, 9), np.ones(4))) == pytest.approx(1.0)
    sizes = np.array([2.0, 1.0, 1.0])
    share = sizes / sizes.sum()
    want = np.exp(-(share * np.log(share)).sum())
    assert effective_rank(turn[:, :3] * sizes) == pytest.approx(want)


def test_collapsed_and_spread_clouds():
    same = np.tile(np.arange(1.0, 5.0), (6, 1))
    assert rank_residual(same) == pytest.approx(0.0)
    assert token_similarity(same) == pytest.approx(1.0)
    centred = np.vstack([np.eye(3), -np.eye(3)])
    assert rank_residual(centred) == pytest.approx(1.0)
    assert token_similarity(np.eye(4)) == pytest.approx(0.0)


def test_a_massive_channel_shows_in_the_variants():
    states = np.random.default_rng(3).standard_normal((50, 8))
    states[:, 0] += 100.0
    states[:, 0] *= 1 + 0.01 * np.arange(50)
    found = cloud_numbers(states)
    plain, standardised, _ = found["effective_rank"]
    assert plain < 3 < standardised
    assert set(found) == {"effective_rank", "rank_residual", "token_similarity"}


def test_one_position_has_no_second_variant():
    found = cloud_numbers(np.ones((1, 3)))
    assert np.isnan(found["effective_rank"][2])
    assert np.isnan(found["token_similarity"]).all()


def test_the_entropy_bound_is_tight_and_holds():
    count, sigma = 7, 2.0
    gap = sigma * np.sqrt(count / (count - 1))
    row = np.array([1.0] + [np.exp(-gap)] * (count - 1))
    row /= row.sum()
    assert lowest_entropy(sigma, count) == pytest.approx(-(row * np.log(row)).sum())
    assert np.isnan(lowest_entropy(sigma, 1))
    assert lowest_entropy(0.0, count) == pytest.approx(np.log(count))
    generator = np.random.default_rng(4)
    states = generator.standard_normal((9, 5)) * 0.5
    query, key = generator.standard_normal((2, 5, 3)) * 0.5
    scores = states @ query @ (states @ key).T
    pattern = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    entropy = -(pattern * np.log(pattern)).sum(-1)
    assert (entropy >= lowest_entropy(score_sigma(states, query, key), 9)).all()
    turned = score_sigma(states, query, key, rotary=True)
    assert turned >= score_sigma(states, query, key)


def test_the_floor_of_a_row_is_that_of_its_own_scores():
    generator = np.random.default_rng(6)
    scores = 2 * generator.standard_normal(12)
    weights = np.exp(scores) / np.exp(scores).sum()
    gap = np.sqrt(((scores - scores.mean()) ** 2).sum() * 12 / 11)
    steep = np.array([1.0] + [np.exp(-gap)] * 11)
    steep /= steep.sum()
    pattern = np.broadcast_to(weights, (1, 1, 1, 12, 12))
    seen = records.visibility((12,), causal=False)
    pieces = records.random_pieces(pattern, seen, (12,))
    found = gather(tiles.tiles_of(pieces), {"floor": MEASURES["entropy_floor"]}, 12)["floor"]
    np.testing.assert_allclose(found, -(steep * np.log(steep)).sum(), rtol=1e-9)


def test_no_row_is_below_its_floor_and_one_that_reaches_it_is_at_it():
    pieces = records.random_causal((20,), heads=2, concentration=3.0)
    pieces.pattern[0, 0, 0, 15, :16] = [0.9] + [0.1 / 15] * 15
    found = gather(tiles.tiles_of(pieces), {"floor": MEASURES["entropy_floor"]}, 20)["floor"]
    logs = np.log(np.where(pieces.pattern[0, 0] > 0, pieces.pattern[0, 0], 1.0))
    entropy = -(pieces.pattern[0, 0, :2] * logs[:2]).sum(-1)
    assert np.isnan(found[:, 0]).all()
    assert (found[:, 1:] <= entropy[:, 1:] + 1e-12).all()
    assert found[0, 15] == pytest.approx(entropy[0, 15], rel=1e-9)
