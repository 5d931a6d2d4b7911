"""Inequalities and merges of statistics, for whatever weights hypothesis comes up with."""

import hypothesis.strategies as st
import numpy as np
import xarray as xr
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from dva_lens.records import RowTile
from dva_lens.results.spans import over_spans
from dva_lens.statistics.extended.concentration import gini
from dva_lens.statistics.extended.geometry import effective_rank, rank_residual
from dva_lens.statistics.extended.measures import MEASURES
from dva_lens.statistics.extended.tiles import Gathered
from dva_lens.statistics.primary.importance import distribution_entropy
from dva_lens.statistics.spans import rows_by_span, span_means
from dva_lens.statistics.visible import uniform_received

LAW = settings(max_examples=60, deadline=None, derandomize=True)
# Weights are multiples of 2^-10, so that equal and zero weights come up and sums are exact.
WEIGHT = st.integers(0, 1024).map(lambda number: number / 1024)
MASSES = (
    st.integers(2, 24).flatmap(lambda n: arrays(np.float64, n, elements=WEIGHT)).filter(np.any)
)


def tile_of(weights, queries=None):
    """A tile of one head with these rows over keys that are all seen."""
    rows, keys = weights.shape
    return RowTile(
        queries=np.arange(rows) if queries is None else queries,
        weights=weights[None],
        seen=np.ones((rows, keys), dtype=bool),
        values=np.ones((1, keys, 2)),
        gram=np.eye(2)[None],
        tokens=np.zeros(keys, dtype=np.int64),
    )


def entropy_of(mass):
    return float(distribution_entropy(mass[None])[0])


def gini_of(mass):
    return float(gini(tile_of(mass[None]))[0, 0])


@LAW
@given(MASSES)
def test_entropies_and_the_chance_to_meet_twice_are_ordered(mass):
    share = mass / mass.sum()
    shannon, meet, largest = entropy_of(mass), (share**2).sum(), share.max()
    room = 1e-12 * len(mass)
    assert shannon + room >= 0
    assert -np.log(largest) - room <= -np.log(meet) <= shannon + room
    assert shannon <= np.log(len(mass)) + room
    assert largest**2 - room <= meet <= largest + room


@LAW
@given(MASSES, st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(mass, random):
    shuffled = np.array(random.sample(list(mass), len(mass)))
    assert abs(gini_of(shuffled) - gini_of(mass)) < 1e-12
    assert abs(entropy_of(shuffled) - entropy_of(mass)) < 1e-12


@LAW
@given(MASSES, st.data())
def test_a_gift_from_the_rich_to_the_poor_evens_out(mass, data):
    rich, poor = int(mass.argmax()), int(mass.argmin())
    gift = data.draw(st.floats(0, (mass[rich] - mass[poor]) / 2))
    after = mass.copy()
    after[rich] -= gift
    after[poor] += gift
    assert gini_of(after) <= gini_of(mass) + 1e-9
    assert entropy_of(after) >= entropy_of(mass) - 1e-9


@LAW
@given(MASSES)
def test_two_keys_in_one_spread_less(mass):
    joined = np.append(mass[2:], mass[:2].sum())
    assert entropy_of(joined) <= entropy_of(mass) + 1e-12


@LAW
@given(MASSES, st.floats(1e-3, 1e3))
def test_a_factor_common_to_all_weights_does_not_matter(mass, factor):
    assert abs(gini_of(mass * factor) - gini_of(mass)) < 1e-9
    assert abs(entropy_of(mass * factor) - entropy_of(mass)) < 1e-9


@LAW
@given(st.data(), st.integers(2, 9))
def test_rows_may_be_cut_into_tiles_anywhere(data, rows):
    weights = data.draw(arrays(np.float64, (rows, rows), elements=WEIGHT))
    cut = data.draw(st.integers(1, rows - 1))
    chosen = {name: MEASURES[name] for name in ("gini", "mass_account", "duplicate_score")}
    whole = Gathered.of(tile_of(weights), chosen).summary(chosen, rows)
    parts = [
        Gathered.of(tile_of(weights[piece], np.arange(rows)[piece]), chosen)
        for piece in (slice(cut), slice(cut, None))
    ]
    for one, other in (parts, parts[::-1]):
        merged = one.merge(other).summary(chosen, rows)
        for name in chosen:
            np.testing.assert_allclose(merged[name], whole[name], atol=1e-12, err_msg=name)


@LAW
@given(
    arrays(
        np.int64, st.tuples(st.integers(1, 3), st.integers(1, 40)), elements=st.integers(-1, 70)
    )
)
def test_spans_put_together_give_the_plain_mean(visible):
    seen = visible > 0
    values = np.where(seen, np.sin(np.arange(visible.size)).reshape(visible.shape), np.nan)
    dims = ("sequence", "span")
    means = xr.DataArray(span_means(values[:, None], visible)[:, 0], dims=dims)
    found, _ = over_spans(means, xr.Dataset({"rows": (dims, rows_by_span(visible))}))
    count = seen.sum(-1)
    want = np.where(count > 0, np.nansum(values, -1) / np.maximum(count, 1), np.nan)
    np.testing.assert_allclose(found.numbers, want, atol=1e-12)


@LAW
@given(st.integers(1, 40), st.integers(1, 40))
def test_uniform_attention_gives_away_all_it_has(length, window):
    place = np.arange(length)
    visible = np.minimum(place + 1, window)[None]
    viewers = np.minimum(length - place, window)[None]
    received = uniform_received(visible, viewers, np.array([length]))
    assert abs(received.sum() - length) < 1e-9


@LAW
@given(st.integers(2, 12), st.integers(1, 6), st.integers(0, 2**31))
def test_a_cloud_has_no_more_directions_than_points_or_channels(points, channels, seed):
    states = np.random.default_rng(seed).standard_normal((points, channels))
    assert 1 - 1e-9 <= effective_rank(states) <= min(points, channels) + 1e-9
    assert 0 <= rank_residual(states) <= 1
    turned, _ = np.linalg.qr(np.random.default_rng(seed + 1).standard_normal((channels,) * 2))
    assert abs(effective_rank(states @ turned) - effective_rank(states)) < 1e-6
