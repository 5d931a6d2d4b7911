"""What trainings make of sinks, where it was planted which heads have one."""

import numpy as np
import pytest
from fakes import fake_measurement

from dva_lens.results.collect import collect
from dva_lens.results.sink_accounts import sink_accounts, sink_places
from dva_lens.results.sinks import sinks


def planted(seed, sinks_at=((1, 2), (2, 3)), drained=0.1):
    """Return a measurement with even attention but for some heads, whose values are drained."""
    data = fake_measurement("transformer", seed)
    data["first_key_mass"][:] = data["first_key_mass_reference"].values
    data["written_value_drain"][:] = 0.9 + 0.01 * data["sequence"].values
    data["massive_activation"][:] = 4.0
    for at, (layer, head) in enumerate(sinks_at):
        data["first_key_mass"][layer, head] = 0.5 + 0.1 * at + 0.001 * np.arange(6)[:, None]
        data["written_value_drain"][layer, head] = drained + 0.001 * data["sequence"].values
        data["massive_activation"][layer] = 400.0 + 10 * at
    data["top_key_position"][:] = 0
    return data


@pytest.fixture(scope="module")
def measured():
    return collect({"transformer": [planted(0), planted(1, sinks_at=((2, 3),), drained=0.8)]})


def test_heads_drains_and_peaks_are_those_that_were_planted(measured):
    first, second = sink_accounts(measured)
    assert (first.heads, first.sinks, first.share) == (16, 2, 2 / 16)
    assert (first.drained, second.drained) == (1.0, 0.0)
    assert first.peak == pytest.approx(410)
    assert first.peak_layer == second.peak_layer == 2
    assert first.sink_and_peak > 0.9
    assert first.sink_and_drain > 0.5


def test_places_name_key_and_token_and_count_heads(measured):
    (place,) = sink_places(sinks(measured))
    assert (place.key, place.sinks, place.trainings) == ("first key", 3, 2)
    assert place.drained == pytest.approx(2 / 3)


def test_a_sink_table_is_made_once_and_given_as_a_copy(measured):
    table = sinks(measured)
    table["mass"] = 0.0
    assert sinks(measured)["mass"].max() > 0.5
