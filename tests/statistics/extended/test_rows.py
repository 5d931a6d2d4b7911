"""Numbers of whole rows against their definitions on materialised patterns."""

import numpy as np
import pytest
import records
import tiles
from evaluation import evaluate
from scipy import stats

from dva_lens.statistics.extended.accounts import (
    KEYS,
    MASS,
    OUTPUT,
    contributions,
    remainder_shares,
)
from dva_lens.statistics.extended.measures import MEASURES
from dva_lens.statistics.extended.norms import weighted_norms
from dva_lens.statistics.extended.rollout import Carried, rollout_step
from dva_lens.statistics.extended.tiles import gather, mean_value, trimmed
from dva_lens.statistics.table import STATISTICS

LENGTH = 24


@pytest.fixture(params=[None, 1.0], ids=["whole rows", "virtual key"])
def pieces(request):
    return records.random_causal((LENGTH,), heads=2, kv_heads=1, sink=request.param)


def from_tiles(name, pieces, **options):
    return gather(tiles.tiles_of(pieces, **options), {name: MEASURES[name]}, LENGTH)[name]


@pytest.mark.parametrize("name", MEASURES)
def test_keys_that_no_row_of_a_tile_sees_change_nothing(name, pieces, monkeypatch):
    found = from_tiles(name, pieces)
    monkeypatch.setattr(f"{gather.__module__}.trimmed", lambda tile: tile)
    np.testing.assert_allclose(found, from_tiles(name, pieces), rtol=1e-12, atol=1e-14)


def test_a_tile_ends_with_the_last_key_that_it_sees(pieces):
    cut = [trimmed(tile) for tile in tiles.tiles_of(pieces, rows=8)]
    assert [tile.weights.shape[-1] for tile in cut] == [8, 16, 24]
    np.testing.assert_allclose(mean_value(cut[0])[0], pieces.values[0, 0, 0].mean(0))


def rows(pieces):
    """Yield head, query and the weights over the keys it sees."""
    for head, pattern in enumerate(pieces.pattern[0, 0]):
        for query, row in enumerate(pattern):
            yield head, query, row[: query + 1]


def test_gini_is_half_the_mean_difference_over_the_mean(pieces):
    found = from_tiles("gini", pieces)
    assert np.isnan(found[:, 0]).all()
    for head, query, row in rows(pieces):
        if query:
            difference = np.abs(row[:, None] - row[None, :]).mean()
            want = difference / (2 * row.mean()) * (query + 1) / query
            assert found[head, query] == pytest.approx(want)


def test_uniform_received_mass_has_the_published_gini_and_hoyer():
    # Keys that everybody sees, holding what uniform causal attention gives them.
    received = np.cumsum(1.0 / np.arange(64, 0, -1))[::-1]
    seen = records.visibility((64,), causal=False)
    share = np.broadcast_to(received / received.sum(), (1, 1, 1, 64, 64))
    pieces = records.random_pieces(share, seen, (64,), width=2)
    gini = gather(tiles.tiles_of(pieces, rows=64), {"gini": MEASURES["gini"]}, 64)["gini"]
    assert gini[0, 0] * 63 / 64 == pytest.approx(0.492, abs=5e-4)
    hoyer = evaluate(STATISTICS["hoyer"], records.record_of(pieces))
    assert hoyer[0, 0, 0, 0] == pytest.approx(0.319, abs=5e-4)


def test_renyi_and_top_mass(pieces):
    found = from_tiles("top_mass", pieces)
    renyi = evaluate(STATISTICS["renyi_entropy"], records.record_of(pieces))[0, 0]
    for head, query, row in rows(pieces):
        share = row / row.sum()
        assert renyi[head, query] == pytest.approx(-np.log((share**2).sum()))
        if query < 4:
            assert np.isnan(found[head, query])
        else:
            assert found[head, query] == pytest.approx(np.sort(row)[-5:].sum())


def kobayashi(pieces, *, centred=False):
    """Return |a_ij f(v_j)| with f the output matrix, pair by pair."""
    values = pieces.pairs[0, 0]
    if centred:
        values = values - values.mean((1, 2), keepdims=True)
    written = np.einsum("hqkd,hdm->hqkm", values, pieces.output[0])
    return pieces.pattern[0, 0] * np.linalg.norm(written, axis=-1)


@pytest.mark.parametrize("centred", [False, True])
def test_weighted_norms_are_kobayashis(pieces, centred):
    sizes = kobayashi(pieces, centred=centred)
    tile = tiles.tiles_of(pieces, rows=LENGTH)[0]
    np.testing.assert_allclose(weighted_norms(tile, centred=centred), sizes, atol=1e-12)
    tail = "_centred" if centred else ""
    entropy = from_tiles("norm_entropy" + tail, pieces)
    first = from_tiles("first_norm_share" + tail, pieces)
    want = stats.entropy(sizes, axis=-1)
    np.testing.assert_allclose(entropy, want, atol=1e-10)
    np.testing.assert_allclose(first, sizes[..., 0] / sizes.sum(-1), atol=1e-12)


def test_mass_accounts_total_one_and_know_their_keys(pieces):
    found = from_tiles("mass_account", pieces)
    assert found.shape == (2, len(MASS))
    np.testing.assert_allclose(found.sum(-1), 1.0)
    pattern = pieces.pattern[0, 0]
    assert found[0, MASS.index("first")] == pytest.approx(pattern[0, :, 0].mean())
    own = np.diagonal(pattern[0])[1:].sum() / LENGTH
    assert found[0, MASS.index("self")] == pytest.approx(own)
    near = sum(np.diagonal(pattern[0], -step)[1:].sum() for step in range(2, 9)) / LENGTH
    assert found[0, MASS.index("local")] == pytest.approx(near)
    virtual = 1 - pattern[0].sum(-1).mean()
    assert found[0, MASS.index("virtual")] == pytest.approx(virtual, abs=1e-12)


@pytest.mark.parametrize("pair", [False, True], ids=["static", "pair"])
def test_output_accounts_total_one(pair):
    pieces = records.random_causal((LENGTH,), heads=2, kv_heads=1, sink=0.0, pair=pair)
    found = from_tiles("output_account", pieces)
    assert found.shape == (2, len(OUTPUT))
    np.testing.assert_allclose(found.sum(-1), 1.0)
    if not pair:
        assert (found[:, OUTPUT.index("own query")] == 0).all()
    tile = tiles.tiles_of(pieces, rows=8)[1]
    by_key, own = contributions(tile)
    written = np.einsum(
        "hrk,hrkd,hdm->hrm", tile.weights, pieces.pairs[0, 0][:, 8:16], pieces.output[0]
    )
    np.testing.assert_allclose(by_key.sum(-1) + own, (written**2).sum(-1), atol=1e-9)
    np.testing.assert_allclose(remainder_shares(tile).sum(-1), 1.0)


def test_contributions_of_static_values_are_projections(pieces):
    tile = tiles.tiles_of(pieces, rows=LENGTH)[0]
    parts = np.einsum("hqk,hqkd,hdm->hqkm", tile.weights, pieces.pairs[0, 0], pieces.output[0])
    want = np.einsum("hqkm,hqm->hqk", parts, parts.sum(2))
    np.testing.assert_allclose(contributions(tile)[0], want, atol=1e-9)
    share = want / want.sum(-1, keepdims=True)
    np.testing.assert_allclose(remainder_shares(tile), share, atol=1e-9)


def test_a_part_of_the_query_alone_goes_to_the_query():
    static = records.random_causal((LENGTH,), heads=2, kv_heads=1)
    shift = 3 * np.random.default_rng(8).standard_normal((1, 1, 2, LENGTH, 1, 4))
    moved = records.Pieces(
        static.pattern, static.pairs + shift, static.output, static.lengths, static.seen
    )
    found = from_tiles("output_account", moved, rows=LENGTH)
    assert (found[:, OUTPUT.index("own query")] > 0.5).all()
    tile = tiles.tiles_of(moved, rows=LENGTH)[0]
    still = remainder_shares(tiles.tiles_of(static, rows=LENGTH)[0])
    common = np.average(shift, axis=3, weights=np.arange(1.0, LENGTH + 1))
    centred = records.Pieces(
        static.pattern,
        static.pairs + common[:, :, :, None],
        static.output,
        static.lengths,
        static.seen,
    )
    want = remainder_shares(tiles.tiles_of(centred, rows=LENGTH)[0])
    np.testing.assert_allclose(remainder_shares(tile), want, atol=1e-8)
    assert not np.allclose(still, want)


def detector_patterns(tokens):
    """Return the ideal patterns of duplicate and induction heads."""
    count = len(tokens)
    duplicate = np.tril(tokens[:, None] == tokens[None, :], -1).astype(float)
    induction = np.zeros((count, count))
    induction[:, 1:] = duplicate[:, :-1]
    return duplicate, np.tril(induction)


def test_head_scores_in_both_definitions(pieces):
    tokens = np.random.default_rng(3).integers(0, 6, LENGTH)
    pattern = pieces.pattern[0, 0]
    for name, ideal in zip(
        ("duplicate_score", "induction_score"), detector_patterns(tokens), strict=True
    ):
        found = from_tiles(name, pieces, tokens=tokens)
        has = ideal.any(-1)
        corrected = (pattern * ideal).sum(-1)[:, has].mean(-1)
        official = (pattern * ideal).sum((1, 2)) / pattern.sum((1, 2))
        np.testing.assert_allclose(found, np.column_stack([corrected, official]), atol=1e-12)


def test_tokens_that_are_not_known_do_not_repeat(pieces):
    for name in ("duplicate_score", "induction_score"):
        found = from_tiles(name, pieces, tokens=np.full(LENGTH, -1))
        assert np.isnan(found[:, 0]).all()
        assert (found[:, 1] == 0).all()


def test_a_perfect_previous_head_scores_one_when_corrected():
    seen = records.visibility((10,))
    pattern = np.eye(10, k=-1)
    pattern[0, 0] = 1.0
    pieces = records.random_pieces(pattern[None, None, None], seen, (10,))
    found = evaluate(STATISTICS["previous_score"], records.record_of(pieces))
    np.testing.assert_allclose(found[0, 0, 0], [1.0, 0.9])


def test_distances_with_and_without_the_first_key(pieces):
    record = records.record_of(pieces)
    whole = evaluate(STATISTICS["distance"], record)[0, 0]
    without = evaluate(STATISTICS["sink_free_distance"], record)[0, 0]
    for head, query, row in rows(pieces):
        back = query - np.arange(query + 1)
        assert whole[head, query] == pytest.approx((row * back).sum() / row.sum())
        if query:
            want = (row * back)[1:].sum() / row[1:].sum()
            assert without[head, query] == pytest.approx(want, abs=1e-9)


def test_distances_ahead_count_as_negative():
    seen = records.visibility((LENGTH,), causal=False)
    pieces = records.random_pieces(records.random_pattern(seen, heads=2), seen, (LENGTH,))
    record = records.record_of(pieces)
    found = evaluate(STATISTICS["sink_free_distance"], record)[0, 0]
    place = np.arange(LENGTH)
    back = place[:, None] - place[1:]
    rows = pieces.pattern[0, 0][..., 1:]
    np.testing.assert_allclose(found, (rows * back).sum(-1) / rows.sum(-1), atol=1e-9)
    assert (found < 0).any()


def test_surviving_size_falls_as_independent_values_are_averaged():
    seen = records.visibility((400,))
    pieces = records.random_pieces(records.uniform_pattern(seen), seen, (400,), width=64)
    measures = {"kept": MEASURES["surviving_size"]}
    found = gather(tiles.tiles_of(pieces, rows=100), measures, 400)["kept"][0]
    values = pieces.values[0, 0, 0] - pieces.values[0, 0, 0].mean(0)
    count = np.arange(1, 401)
    kept = ((np.cumsum(values, axis=0) / count[:, None]) ** 2).sum(-1)
    want = kept / (np.cumsum((values**2).sum(-1)) / count)
    np.testing.assert_allclose(found, want, atol=1e-12)
    assert found[0] == pytest.approx(1.0)
    assert found[100] == pytest.approx(1 / 101, rel=0.4)


def test_rollout_is_the_product_of_halved_patterns():
    pieces = records.random_causal((LENGTH,), layers=3, heads=2, kv_heads=1)
    carried = Carried.of(np.eye(LENGTH))
    want = np.eye(LENGTH)
    for layer in range(3):
        mean = pieces.pattern[layer, 0].mean(0)
        want = (0.5 * mean + 0.5 * np.eye(LENGTH)) @ want
        carried = rollout_step(tiles.tiles_of(pieces, layer), carried)
    np.testing.assert_allclose(carried.attended, want, atol=1e-12)
    np.testing.assert_allclose(carried.attended.sum(-1), 1.0)
    first = rollout_step(tiles.tiles_of(pieces, 0), Carried.of(np.eye(LENGTH)[:, :1])).attended
    np.testing.assert_allclose(
        first[:, 0], (0.5 * pieces.pattern[0, 0].mean(0) + 0.5 * np.eye(LENGTH))[:, 0]
    )


@pytest.mark.parametrize("mask", [{}, {"causal": False}, {"window": 5}], ids=str)
def test_uniform_rollout_is_rollout_of_uniform_attention(mask):
    seen = records.visibility((LENGTH,), **mask)
    pieces = records.random_pieces(records.uniform_pattern(seen), seen, (LENGTH,))
    found = rollout_step(tiles.tiles_of(pieces), Carried.of(np.eye(LENGTH)))
    np.testing.assert_allclose(found.uniform, found.attended, atol=1e-12)
    sharp = records.random_pieces(records.random_pattern(seen), seen, (LENGTH,))
    other = rollout_step(tiles.tiles_of(sharp), Carried.of(np.eye(LENGTH)))
    np.testing.assert_array_equal(other.uniform, found.uniform)


def test_rollout_needs_every_row():
    pieces = records.random_causal((LENGTH,))
    with pytest.raises(ValueError, match="row 4 is missing"):
        rollout_step(tiles.tiles_of(pieces)[:1], Carried.of(np.eye(LENGTH)))


def test_accounts_name_their_keys_in_order():
    assert MASS[:-1] == OUTPUT[:-1] == KEYS
