"""Families that were planted are found, and none is found where there are only degrees."""

import numpy as np
import pytest

from dva_lens.statistics.inference.families import families, rand_agreement

UNITS = np.repeat(np.arange(5), 24)


def test_planted_families_are_found_with_their_members():
    rng = np.random.default_rng(0)
    planted = np.resize([0, 0, 0, 1, 1, 2], len(UNITS))
    middle = np.array([[0.0, 0.0, 0.0], [8.0, 0.0, 4.0], [0.0, 8.0, -4.0]])
    found = families(middle[planted] + rng.standard_normal((len(UNITS), 3)), UNITS)
    assert found.count == 3
    assert rand_agreement(found.labels, planted) == 1.0
    np.testing.assert_array_equal(found.labels, planted)  # the largest family first
    assert found.stability[1] > found.chance[1]


@pytest.mark.parametrize("draw", range(3))
def test_profiles_that_differ_by_degrees_have_no_families(draw):
    profiles = np.random.default_rng(draw).standard_normal((len(UNITS), 4))
    found = families(profiles, UNITS, seed=draw)
    assert found.count == 1
    assert not found.labels.any()


def test_agreement_is_one_for_the_same_division_and_none_by_chance():
    rng = np.random.default_rng(0)
    ours = rng.integers(4, size=2000)
    assert rand_agreement(ours, (ours + 1) % 4) == 1.0
    assert abs(rand_agreement(ours, rng.integers(4, size=2000))) < 0.01
    # Hubert and Arabie: pairs 2 in both, 2 and 3 in one, of 10
    found = rand_agreement(np.array([0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1]))
    assert found == pytest.approx((2 - 2 * 4 / 10) / (3 - 2 * 4 / 10))


def test_too_few_profiles_are_refused():
    with pytest.raises(ValueError, match="need eight profiles"):
        families(np.zeros((8, 3)), np.arange(8))
