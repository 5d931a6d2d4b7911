"""Laws that every statistic of the table keeps."""

from dataclasses import replace

import numpy as np
import pytest
import records
import tiles
import xarray as xr
from evaluation import evaluate

from dva_lens.axes import span_of
from dva_lens.results.spans import over_spans
from dva_lens.sites import SITES, TILES
from dva_lens.statistics.extended.measures import MEASURES
from dva_lens.statistics.extended.tiles import gather
from dva_lens.statistics.spans import rows_by_span, span_means, spans_of
from dva_lens.statistics.table import EXTENDED, PRIMARY, RECORDED, STATISTICS, statistic

REFERRED = [name for name in STATISTICS if STATISTICS[name].reference is not None]
BY_ROW = [name for name in REFERRED if STATISTICS[name].at == "query"]
DRAWN_ANEW = {  # by the record builder
    "loss",
    "massive_activation",
    "value_source_share",
    "triad_agreement",
    "duplicate_score",
    "induction_score",
    "effective_rank",
    "rank_residual",
    "token_similarity",
}


@pytest.fixture(params=STATISTICS)
def chosen(request):
    return STATISTICS[request.param]


def recorded(pieces):
    return tiles.with_tiles(records.record_of(pieces), pieces)


def uniform(lengths, **options):
    seen = records.visibility(lengths, **options)
    pattern = records.uniform_pattern(seen, layers=2, heads=4)
    return recorded(records.random_pieces(pattern, seen, lengths, kv_heads=2))


def test_the_table_names_what_it_holds():
    assert all(name == entry.name for name, entry in STATISTICS.items())
    assert len({*RECORDED, *EXTENDED}) == len(RECORDED) + len(EXTENDED)
    assert {*RECORDED, *EXTENDED} == set(STATISTICS)
    assert set(PRIMARY) < set(RECORDED)


def test_every_tile_measure_belongs_to_a_statistic():
    fed = {name for name, entry in STATISTICS.items() if TILES in entry.needs}
    assert fed == set(MEASURES)


def test_coordinates_of_one_name_agree():
    held = {}
    for entry in STATISTICS.values():
        for name, labels in entry.extra.items():
            assert held.setdefault(name, labels) == labels


def test_every_entry_can_be_read_alone(chosen):
    for text in (chosen.long_name, chosen.units, chosen.meaning, chosen.formula, chosen.source):
        assert text.strip()
    assert chosen.meaning.endswith(".")
    assert (chosen.reference is None) == bool(chosen.why_no_reference)
    assert all(SITES[site.name] == site for site in chosen.needs)


@pytest.mark.parametrize("pair", [False, True], ids=["static", "pair"])
@pytest.mark.parametrize("sink", [None, 1.0])
@pytest.mark.parametrize("concentration", [0.1, 6.0])
def test_values_stay_within_bounds(concentration, sink, pair):
    options = {"concentration": concentration, "sink": sink, "pair": pair}
    record = recorded(records.random_causal((40, 11), **options))
    for name, entry in STATISTICS.items():
        low, high = entry.bounds(40)
        found = evaluate(entry, record)
        held = found[np.isfinite(found)]
        assert held.size, name
        assert held.min() >= low - 1e-9, name
        assert held.max() <= high + 1e-9, name


@pytest.mark.parametrize("name", REFERRED)
def test_uniform_attention_reads_the_reference(name):
    chosen = STATISTICS[name]
    record = uniform((40, 11, 1))
    found = evaluate(chosen, record)
    if chosen.at == "query":
        want = chosen.reference(record.layers[0].summary.visible)[:, None]
    else:
        want = chosen.reference(record.lengths)
        want = want[:, None] if chosen.at == "head" else want
    np.testing.assert_allclose(found, np.broadcast_to(want, found.shape), atol=1e-7)


@pytest.mark.parametrize("options", [{"window": 6}, {"causal": False}], ids=["window", "both"])
def test_row_references_hold_for_windows_and_both_directions(options):
    record = uniform((16, 11), **options)
    for name in BY_ROW:
        found = evaluate(STATISTICS[name], record)
        want = STATISTICS[name].reference(record.layers[0].summary.visible)[:, None]
        want = np.broadcast_to(want, found.shape)
        assert np.isfinite(found).any(), name
        np.testing.assert_allclose(found, np.where(np.isnan(found), np.nan, want), atol=1e-7)


@pytest.mark.parametrize("pair", [False, True], ids=["static", "pair"])
def test_padding_changes_nothing(pair):
    pieces = records.random_causal((40, 30), pair=pair)
    joint, alone = recorded(pieces), recorded(replace(pieces, **_second_alone(pieces)))
    for name, chosen in STATISTICS.items():
        if name in DRAWN_ANEW:
            continue
        both, single = evaluate(chosen, joint)[:, 1:], evaluate(chosen, alone)
        if chosen.at == "query":
            assert np.isnan(both[..., 30:]).all()
            both = both[..., :30]
        np.testing.assert_allclose(both, single, atol=1e-12, err_msg=name)


def _second_alone(pieces):
    pair = pieces.values.ndim == 6
    keys = (slice(None),) * 3 + (slice(30),) * (2 if pair else 1)
    return {
        "pattern": pieces.pattern[:, 1:, :, :30, :30],
        "values": pieces.values[:, 1:][keys],
        "lengths": pieces.lengths[1:],
        "seen": pieces.seen[1:, :30, :30],
    }


@pytest.mark.parametrize("pair", [False, True], ids=["static", "pair"])
def test_tiles_of_any_size_and_order_give_the_same(pair):
    pieces = records.random_causal((16,), pair=pair, sink=0.0)
    by_tile = {name for name in MEASURES if name.endswith("_centred")}
    by_tile |= {"output_account", "value_decomposition", "surviving_size"}
    whole = gather(tiles.tiles_of(pieces, rows=16), MEASURES, 16)
    parts = gather(tiles.tiles_of(pieces, rows=3)[::-1], MEASURES, 16)
    for name, found in parts.items():
        if not (pair and name in by_tile):  # what is fitted or centred within a tile
            np.testing.assert_allclose(found, whole[name], atol=1e-9, err_msg=name)


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
    parts = xr.DataArray(means.swapaxes(1, 2), dims=("layer", "head", "sequence", "span"))
    counts = xr.Dataset({"rows": (("sequence", "span"), rows)})
    found, _ = over_spans(parts, counts)
    np.testing.assert_allclose(found.numbers, np.nanmean(values, -1).swapaxes(1, 2), atol=1e-12)
    late, _ = over_spans(parts, counts, range(3, rows.shape[1]))
    want = np.nanmean(values[..., 7:], -1).swapaxes(1, 2)
    np.testing.assert_allclose(late.numbers, want, atol=1e-12)


def test_too_few_spans_are_refused():
    with pytest.raises(ValueError, match="pass at least 5"):
        rows_by_span(np.array([[1, 16]]), 4)
