"""Signs of an extreme token come when they were planted to come."""

import numpy as np
import pytest
from fakes import fake_measurement

from dva_lens.results.change_points import change_points, half_way
from dva_lens.results.collect import collect

STEPS = (0, 10, 40, 160)


def planted(seed, drain_at=2):
    """Return a head whose sink comes between steps 0 and 10 and whose value drains later."""
    data = fake_measurement("transformer", seed, steps=STEPS)
    data["first_key_mass"][:] = data["first_key_mass_reference"].values
    data["written_value_drain"][:] = 1.0
    data["massive_activation"][:] = 4.0
    data["massive_activation"][3:, 2] = 64.0
    data["first_key_mass"][1:, 2, 3] = 0.5 + 0.01 * np.arange(6)[:, None]
    data["written_value_drain"][drain_at:, 2, 3] = 0.1
    return data


def test_half_way_is_where_a_line_over_the_logarithm_crosses_the_middle():
    steps = np.array([0, 1, 3, 7])
    values = np.array([[0.0, 8.0, 1.0, np.nan], [0.0, 8.0, 1.0, 0.0], [4.0, 2.0, 1.0, 0.0],
                       [4.0, 0.0, 1.0, 1.0]])  # fmt: skip
    found = half_way(steps, values)
    np.testing.assert_allclose(found[0], 2**1.5 - 1)
    np.testing.assert_allclose(found[1], 2 ** (1 + 2 / 3) - 1)
    assert np.isnan(found[2:]).all()


def test_signs_come_in_the_order_that_was_planted():
    measured = collect({"transformer": [planted(0), planted(1, drain_at=3)], "even": planted(2)})
    first, second, _ = change_points(measured)
    assert (first.model, first.seed, first.heads) == ("transformer", 0, 1)
    assert 0 < first.middle("sink") < 10 < first.middle("drain") < 40
    assert 40 < second.middle("drain") < 160
    assert 40 < first.peak < 160
    assert 0 < first.later("drain") < second.later("drain")
    assert second.later("peak") == pytest.approx(
        np.log1p(second.peak) - np.log1p(second.middle("sink"))
    )


def test_what_does_not_drain_or_grow_never_comes():
    data = planted(0)
    data["written_value_drain"][:] = 0.9
    data["massive_activation"][:] = 4.0
    (found,) = change_points(collect({"transformer": data}))
    assert np.isnan([found.middle("drain"), found.peak, found.later("drain")]).all()


def test_models_that_were_measured_once_have_no_change_points():
    assert change_points(collect({"once": fake_measurement("once", 0)})) == ()
