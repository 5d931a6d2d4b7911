"""Heads as profiles, and how far they look."""

import numpy as np
import pytest
from fake_edges import fake_pattern, with_edges
from fakes import fake_measurement

from dva_lens.results.collect import collect
from dva_lens.results.distances import BINS, STARTS, by_distance
from dva_lens.results.head_profiles import head_profiles


def test_profiles_hold_what_every_head_reads_with_its_place():
    many = fake_measurement("many", 0, heads=4, kv_heads=2)
    one = [fake_measurement("one", seed, heads=1, layers=3) for seed in range(2)]
    names = ("first_key_mass", "written_value_drain")
    found = head_profiles(collect({"many": many, "one": one}), names)
    assert found.values.shape == (16 + 6, 2)
    assert np.unique(found.training[found.model == "one"]).size == 2
    at = np.flatnonzero((found.model == "many") & (found.layer == 1) & (found.head == 3))
    drain = many["written_value_drain"].values[1, 1].mean()  # the group of heads 2 and 3
    assert found.values[at, 1] == pytest.approx(drain)
    np.testing.assert_allclose(np.exp(found.comparable), found.values)


def test_weight_by_distance_is_that_of_the_pattern():
    data = with_edges(fake_measurement("model", 0, layers=1, heads=2), sequences=1)
    found = by_distance(data)
    pattern = fake_pattern(0, 1, 0, 64)[15:]  # queries that see 16 keys or more
    back = np.arange(15, 64)[:, None] - np.arange(64)
    due = [pattern[(back >= low) & (back < high)].sum() / 49 for low, high in ((0, 1), (1, 2))]
    rest = BINS.index("not listed")
    assert found[0, 1, :2] == pytest.approx(due, abs=0.01)
    assert found.sum(-1) == pytest.approx(1.0, abs=1e-4)
    assert 0 < found[0, 1, rest] < 1
    assert found[0, 1, len(STARTS)] == 0  # nothing is ahead
