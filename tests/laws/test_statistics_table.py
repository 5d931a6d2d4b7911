"""Laws that every statistic of the table keeps."""

from dataclasses import replace

import numpy as np
import pytest
import records

from dva_lens.axes import span_of
from dva_lens.sites import SITES
from dva_lens.statistics.evaluate import evaluate
from dva_lens.statistics.spans import pooled, rows_by_span, span_means, spans_of
from dva_lens.statistics.table import PRIMARY, STATISTICS, statistic

BOUNDS = {
    "normalised_entropy": (0, 1),
    "effective_keys": (1, 9),
    "largest_weight": (0, 1),
    "first_key_mass": (0, 1),
    "sink_importance": (0, 1),
    "sink_rate": (0, 1),
    "sink_free_entropy": (0, np.log(8)),
    "importance_entropy": (0, np.log(9)),
    "head_importance_excess": (-np.log(9), np.log(9)),
    "value_drain": (0, np.inf),
    "written_value_drain": (0, np.inf),
    "dynamism": (0, 1),
    "massive_activation": (1, np.inf),
    "loss": (0, np.inf),
}


REFERRED = [name for name in PRIMARY if STATISTICS[name].reference is not None]
BY_ROW = [name for name in REFERRED if STATISTICS[name].at == "query"]
DRAWN_ANEW = {"loss", "massive_activation", "value_source_share"}  # by the record builder


@pytest.fixture(params=PRIMARY)
def chosen(request):
    return STATISTICS[request.param]


def test_the_table_names_what_it_holds():
    assert all(name == entry.name for name, entry in STATISTICS.items())
    assert len(PRIMARY) == 17


def test_every_entry_can_be_read_alone(chosen):
    for text in (chosen.long_name, chosen.units, chosen.meaning, chosen.formula, chosen.source):
        assert text.strip()
    assert chosen.meaning.endswith(".")
    assert (chosen.reference is None) == bool(chosen.why_no_reference)
    assert all(site.name in SITES for site in chosen.needs)


@pytest.mark.parametrize("sink", [None, 0.0, 3.0])
@pytest.mark.parametrize("concentration", [0.1, 1.0, 6.0])
def test_values_stay_within_bounds(chosen, concentration, sink):
    low, high = BOUNDS.get(chosen.name, (-np.inf, np.inf))
    found = evaluate(chosen, records.random_record(concentration=concentration, sink=sink))
    held = found[np.isfinite(found)]
    assert held.size
    assert held.min() >= low - 1e-9
    assert held.max() <= high + 1e-9


@pytest.mark.parametrize("name", REFERRED)
def test_uniform_attention_reads_the_reference(name):
    chosen = STATISTICS[name]
    record = records.uniform_record((9, 7, 1))
    found = evaluate(chosen, record)
    if chosen.at == "query":
        want = chosen.reference(record.layers[0].summary.visible)[:, None]
    else:
        want = chosen.reference(record.lengths)
        want = want[:, None] if chosen.at == "head" else want
    np.testing.assert_allclose(found, np.broadcast_to(want, found.shape), atol=1e-12)


@pytest.mark.parametrize("options", [{"window": 3}, {"causal": False}])
@pytest.mark.parametrize("name", BY_ROW)
def test_row_references_hold_for_windows_and_both_directions(name, options):
    chosen = STATISTICS[name]
    record = records.uniform_record((9, 7), **options)
    found = evaluate(chosen, record)
    want = chosen.reference(record.layers[0].summary.visible)[:, None]
    want = np.broadcast_to(want, found.shape)
    assert np.isfinite(found).any()
    np.testing.assert_allclose(found, np.where(np.isnan(found), np.nan, want), atol=1e-12)


@pytest.mark.parametrize("name", [name for name in PRIMARY if name not in DRAWN_ANEW])
def test_padding_changes_nothing(name):
    chosen = STATISTICS[name]
    record = records.random_record((9, 5))
    pieces = records.random_causal((9, 5))
    alone = records.record_of(replace(pieces, **_second_alone(pieces)))
    together, single = evaluate(chosen, record)[:, 1:], evaluate(chosen, alone)
    if chosen.at == "query":
        assert np.isnan(together[..., 5:]).all()
        together = together[..., :5]
    np.testing.assert_allclose(together, single, atol=1e-12)


def _second_alone(pieces):
    return {
        "pattern": pieces.pattern[:, 1:, :, :5, :5],
        "values": pieces.values[:, 1:, :, :5],
        "lengths": pieces.lengths[1:],
        "seen": pieces.seen[1:, :5, :5],
    }


def test_a_site_that_does_not_apply_is_nan_with_its_reason():
    record = records.random_record()
    layers = tuple(
        replace(layer, dynamics=None, why_not={"dynamics": "values are static"})
        for layer in record.layers
    )
    found = evaluate(STATISTICS["dynamism"], replace(record, layers=layers))
    assert found.shape == (2, 2, 4)
    assert np.isnan(found).all()


def test_a_site_left_out_is_refused():
    record = records.random_record()
    layers = tuple(replace(layer, values=None) for layer in record.layers)
    with pytest.raises(KeyError, match="'values' was not recorded"):
        evaluate(STATISTICS["value_drain"], replace(record, layers=layers))


def test_an_unknown_name_meets_close_matches():
    with pytest.raises(KeyError, match="sink_rate"):
        statistic("sinkrate")


def test_spans_agree_with_the_definition_of_one_number():
    visible = np.array([[1, 2, 3, 4, 7, 8, 1023, 1024, -1]])
    assert spans_of(visible)[0, :-1].tolist() == [span_of(int(n)) for n in visible[0, :-1]]
    assert spans_of(visible)[0, -1] == -1


def test_pooling_spans_gives_the_plain_mean():
    generator = np.random.default_rng(0)
    visible = np.where(np.arange(20) < np.array([[20], [13]]), np.arange(20) + 1, -1)
    values = np.where(visible[:, None] > 0, generator.standard_normal((3, 2, 4, 20)), np.nan)
    means = span_means(values, visible)
    rows = rows_by_span(visible)
    assert rows.sum(1).tolist() == [20, 13]
    found = pooled(means.swapaxes(1, 2), rows)
    np.testing.assert_allclose(found, np.nanmean(values, -1).swapaxes(1, 2), atol=1e-12)
    late = pooled(means.swapaxes(1, 2), rows, slice(3, None))
    want = np.nanmean(values[..., 7:], -1).swapaxes(1, 2)
    np.testing.assert_allclose(late, want, atol=1e-12)


def test_too_few_spans_are_refused():
    with pytest.raises(ValueError, match="pass at least 5"):
        rows_by_span(np.array([[1, 16]]), 4)
