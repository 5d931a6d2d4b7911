"""A sink appears at the first measured step at which the one definition holds."""

import numpy as np
import pytest
from fakes import fake_measurement

from dva_lens.results.collect import collect
from dva_lens.results.onsets import onset_over_seeds, sink_onsets, sinks_by_step
from dva_lens.results.sinks import sinks


@pytest.fixture(scope="module")
def measured():
    data = fake_measurement("transformer", 0, steps=(0, 10, 40, 160))
    mass = data["first_key_mass"]
    mass[:] = data["first_key_mass_reference"].values[None, None, None]
    grown = {1: (0.5, 2, 3), 2: (0.4, 1, 0), 3: (0.6, 2, 3)}
    for step, (size, layer, head) in grown.items():
        mass[step:, layer, head] = size + 0.01 * np.arange(6)[None, :, None]
    return collect({"transformer": data})


def test_the_onset_is_the_first_step_of_a_sink(measured):
    table = sink_onsets(measured)
    places = [tuple(row) for row in table[["layer", "head", "before", "step"]].values.tolist()]
    assert places == [(2, 3, 0, 10), (1, 0, 10, 40)]


def test_at_the_last_step_it_is_the_table_of_sinks(measured):
    last = sinks_by_step(measured).isel(run=0, step=-1).values
    table = sinks(measured)
    rows = table[(table.position == 0) & table.sink]
    assert set(zip(rows.layer, rows["head"], strict=True)) == set(map(tuple, np.argwhere(last)))


def test_seeds_give_an_interval_where_there_are_enough():
    mean, low, high = onset_over_seeds(np.array([100.0, 200.0, 300.0]))
    assert mean == 200
    assert low == pytest.approx(200 - 4.302653 * 100 / np.sqrt(3), rel=1e-6)
    assert high == pytest.approx(400 - low)
    assert np.isnan(onset_over_seeds(np.array([100.0, 200.0]))[1])
