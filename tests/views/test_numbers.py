"""Figures show the numbers they were given."""

import numpy as np
import pytest
import xarray as xr
from fakes import fake_measurement

from dva_lens import views
from dva_lens.views.conditions import conditions
from dva_lens.views.readings import reading, reference
from dva_lens.views.words import shown


def one_condition(data: xr.Dataset):
    return conditions(data)[0]


def test_queries_count_alike_whatever_span_they_are_in():
    data = fake_measurement()
    values, rows = data["entropy"], data["rows"]
    by_hand = (values * rows).sum(["head", "sequence", "span"]) / (
        rows.where(np.isfinite(values)).sum(["head", "sequence", "span"])
    )
    found = reading(one_condition(data), "entropy", ("layer",))
    np.testing.assert_allclose(found.value, by_hand, rtol=1e-5)


def test_chosen_spans_alone_are_read():
    data = fake_measurement()
    by_hand = data["entropy"].sel(span=2).mean(["head", "sequence"])
    found = reading(one_condition(data), "entropy", ("layer",), spans=[2])
    rows = data["rows"].sel(span=2)
    assert (rows == rows[0]).all()
    np.testing.assert_allclose(found.value, by_hand, rtol=1e-5)


def test_the_reference_is_averaged_like_the_statistic():
    data = fake_measurement()
    uniform = data.assign(entropy=xr.ones_like(data["entropy"]) * data["entropy_reference"])
    uniform["entropy"].attrs = data["entropy"].attrs
    condition = one_condition(uniform)
    for along in (("layer",), ("span",)):
        value = reading(condition, "entropy", along).value
        np.testing.assert_allclose(
            value, reference(condition, "entropy", along) + 0 * value, rtol=1e-5
        )


def test_values_that_do_not_apply_take_nothing_from_the_others():
    data = fake_measurement()
    before = reading(one_condition(data), "dynamism", ("layer",)).value
    data["dynamism"][{"head": 0}] = np.nan
    after = reading(one_condition(data), "dynamism", ("layer",)).value
    by_hand = data["dynamism"].isel(head=slice(1, None)).mean(["head", "sequence"])
    assert np.isfinite(before).all()
    np.testing.assert_allclose(after, by_hand, rtol=1e-5)


def test_the_line_lies_in_its_band_and_among_its_seeds():
    several = {"dva": [fake_measurement("dva", seed, sequences=24) for seed in (0, 1, 2)]}
    condition = conditions(several)[0]
    found = reading(condition, "entropy", ("layer",))
    assert found.each.shape == (3, 4)
    assert (found.low <= found.value).all()
    assert (found.value <= found.high).all()
    np.testing.assert_allclose(found.value, found.each.mean(0), rtol=1e-3)


def test_models_of_different_depth_share_an_axis_of_relative_depth():
    figure = views.depth_profile(
        {"shallow": fake_measurement(layers=2), "deep": fake_measurement(layers=6)}, "entropy"
    )
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert [list(line.x)[-1] for line in lines] == [1.0, 1.0]
    assert "Relative depth" in figure.layout.xaxis.title.text


def test_a_dataset_of_runs_is_sorted_by_model():
    runs = [fake_measurement(model, seed) for model in ("transformer", "dva") for seed in (0, 1)]
    joint = xr.concat(runs, dim="run", combine_attrs="drop_conflicts").assign_coords(
        model=("run", ["transformer", "transformer", "dva", "dva"]), seed=("run", [0, 1, 0, 1])
    )
    separate = {"transformer": runs[:2], "dva": runs[2:]}
    ours, theirs = (
        views.as_table(views.depth_profile(data, "entropy")) for data in (joint, separate)
    )
    assert ours == theirs


def test_heads_of_different_trainings_are_never_averaged():
    figure = views.layer_head_map({"dva": [fake_measurement("dva", seed) for seed in (0, 1)]})
    assert [trace.name for trace in figure.data] == ["dva · seed 0", "dva · seed 1"]


def test_ranks_of_heads_run_from_the_largest():
    data = fake_measurement()
    rows = views.as_table(views.layer_head_map(data, "largest_weight"))
    best = max(rows, key=lambda row: row["value"])
    assert best["rank"] == 1
    assert sorted(row["rank"] for row in rows) == list(range(1, 17))


def test_shared_values_are_drawn_at_each_of_their_query_heads():
    data = fake_measurement(heads=4, kv_heads=2)
    figure = views.head_scatter(data, "normalised_entropy", "value_drain")
    rows = views.as_table(figure)
    assert len(rows) == 16
    assert rows[0]["value_drain"] == rows[1]["value_drain"] != rows[2]["value_drain"]


def test_the_published_threshold_is_marked():
    figure = views.sink_curve(fake_measurement())
    assert figure.layout.shapes[0].x0 == 0.3
    assert "0.3" in figure.layout.annotations[0].text


def test_a_statistic_without_layers_or_spans_is_refused_with_advice():
    data = fake_measurement(keep_queries=True)
    with pytest.raises(ValueError, match=r"'dynamism' is one number per head.*depth_profile"):
        views.span_profile(data, "dynamism")
    with pytest.raises(ValueError, match=r"'massive_activation' is one number per layer"):
        views.layer_head_map(data, "massive_activation")
    with pytest.raises(ValueError, match=r"'loss' is one number per text"):
        views.depth_profile(data, "loss")


def test_texts_that_were_not_kept_are_refused():
    data = fake_measurement(keep_queries=True, sequences=9)
    with pytest.raises(ValueError, match="whose queries are kept, 0 to 7, got 8"):
        views.token_lane(data, sequence=8)


def test_a_close_name_is_suggested():
    with pytest.raises(KeyError, match="did you mean 'entropy'"):
        views.depth_profile(fake_measurement(), "entropie")


def test_a_table_of_data_has_a_row_per_cell():
    rows = views.as_table(fake_measurement()["massive_activation"])
    assert len(rows) == 4 * 6
    assert {"layer", "sequence", "massive_activation"} <= rows[0].keys()


def test_runs_on_different_texts_are_not_averaged():
    with pytest.raises(ValueError, match="different texts"):
        views.depth_profile({"a": [fake_measurement(), fake_measurement(sequences=4)]})


def test_further_dimensions_are_read_at_one_place_in_value_and_reference():
    data = fake_measurement()
    threshold = float(data["threshold"][0])
    data["sink_rate_reference"] = (
        ("sequence", "threshold"),
        np.broadcast_to(data["threshold"].values < 0.15, (6, data.sizes["threshold"])) * 1.0,
    )
    figure = views.depth_profile(data, "sink_rate", where={"threshold": threshold})
    by_hand = data["sink_rate"].sel(threshold=threshold).mean(["head", "sequence"])
    rows = views.as_table(figure)
    np.testing.assert_allclose([row["value"] for row in rows], by_hand, rtol=1e-6)
    assert {row["reference"] for row in rows} == {1.0}
    assert {
        row["reference"] for row in views.as_table(views.depth_profile(data, "sink_rate"))
    } == {0.0}
    assert f"at threshold {threshold}" in figure.layout.meta["caption"]


def test_an_unknown_further_dimension_is_refused():
    with pytest.raises(ValueError, match="'entropy' has no further dimension 'threshold'"):
        views.depth_profile(fake_measurement(), "entropy", where={"threshold": 0.3})


def test_any_further_dimension_is_read_at_its_first_entry():
    data = fake_measurement()
    parts = xr.concat([data["dynamism"], 2 * data["dynamism"]], dim="part")
    data["parts"] = parts.assign_coords(part=["key", "query"]).assign_attrs(data["dynamism"].attrs)
    figure = views.depth_profile(data, "parts")
    first = [row["value"] for row in views.as_table(views.depth_profile(data, "dynamism"))]
    assert [row["value"] for row in views.as_table(figure)] == pytest.approx(first)
    assert "at part key" in figure.layout.meta["caption"]


def test_numbers_and_their_intervals_have_the_same_decimals():
    assert shown(0.00013, -0.0049, 0.0051) == "0.00013 [−0.00490, 0.00510]"
    assert shown(4.6, 4.371, 4.83) == "4.60 [4.37, 4.83]"
    assert shown(0.0, 0.0, 0.0) == "0 [0, 0]"
    assert shown(-2e-7) == "−2.00e-07"
    assert shown(float("nan")) == "not applicable"


def test_trainings_that_mix_nothing_are_named_instead_of_drawn():
    data = {model: fake_measurement(model) for model in ("transformer", "resformer-identity")}
    figure = views.value_source_flow(data)
    assert {trace.yaxis for trace in figure.data} == {"y"}
    assert "Own values only: transformer." in figure.layout.meta["caption"]
    assert {row["model"] for row in views.as_table(figure)} == set(data)


def test_what_falls_by_powers_of_ten_is_drawn_on_a_logarithmic_axis():
    data = fake_measurement()
    assert views.span_profile(data, "first_key_mass").layout.yaxis.type == "log"
    assert views.span_profile(data, "entropy").layout.yaxis.type is None
