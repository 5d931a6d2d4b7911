"""The one reader: means over spans by the rows of the layer, ragged models, missing trainings."""

import numpy as np
import pytest
import xarray as xr
from fakes import fake_archive, fake_measurement

from dva_lens import axes
from dva_lens.results.archive import open_archive
from dva_lens.results.collect import collect
from dva_lens.results.estimates import estimate
from dva_lens.results.extract import Extract
from dva_lens.statistics.spans import rows_by_span, span_means

LENGTH, WINDOW = 256, 16


def windowed():
    """A full layer and one with a window, whose queries read the logarithm of what they see."""
    place = np.arange(LENGTH) + 1
    visible = np.stack([place, np.minimum(place, WINDOW)])
    spans = axes.span_count(LENGTH)
    means = np.stack([span_means(np.log(seen)[None, None], seen[None], spans) for seen in visible])
    rows = np.stack([rows_by_span(seen[None], spans) for seen in visible])
    attrs = {"at": "query", "long_name": "Entropy", "units": "nat"}
    data = xr.Dataset(
        {
            "entropy": (("layer", "head", "sequence", "span"), means.swapaxes(1, 2), attrs),
            "rows": (("sequence", "span"), rows[0]),
            "rows_by_layer": (("layer", "sequence", "span"), rows),
        },
        coords={
            "layer": np.arange(2),
            "head": np.arange(1),
            "sequence": np.arange(1),
            "span": np.arange(spans),
        },
        attrs={"model": "windowed"},
    )
    return data, np.log(visible).mean(1)


def test_each_layer_is_read_by_its_own_rows():
    data, truth = windowed()
    found = collect(data).values("entropy")
    np.testing.assert_allclose(found.sel(model="windowed", seed=0).values.ravel(), truth)
    assert found["rows"].dims == ("sequence",)
    assert found["rows"].item() == LENGTH
    widest = data.drop_vars("rows_by_layer")
    wrong = collect(widest).values("entropy").values.ravel()
    assert wrong[0] == pytest.approx(truth[0])
    assert wrong[1] < truth[1] - 0.3


def test_a_span_counts_the_queries_of_its_layer():
    data, _ = windowed()
    rows = collect(data).values("entropy", spans=[4])["rows"]
    assert rows.dims == ("sequence", "layer")
    assert rows.values.tolist() == [[16, LENGTH - 15]]
    each = collect(data).values("entropy", spans="each")
    assert each.sizes[axes.SPAN] == axes.span_count(LENGTH)
    mean = each.weighted(each["rows"]).mean(axes.SPAN)
    whole = collect(data).values("entropy")
    np.testing.assert_allclose(mean.values, whole.values)


def test_models_of_other_depths_and_missing_trainings_are_padded():
    deep = [fake_measurement("transformer", seed, layers=6) for seed in (0, 1)]
    shallow = [fake_measurement("dva", 1, layers=3, heads=2)]
    found = collect({"deep": deep, "shallow": shallow}).values("entropy")
    assert found.dims == ("model", "seed", "sequence", "layer", "head")
    assert found.sizes["layer"] == 6
    assert found["layers"].values.tolist() == [6, 3]
    assert found.sel(model="deep").notnull().all()
    assert found.sel(model="shallow", seed=0).isnull().all()
    held = found.sel(model="shallow", seed=1).notnull()
    assert held.isel(layer=slice(3), head=slice(2)).all()
    assert not held.isel(layer=slice(3, None)).any()
    assert "shallow, seed 0: no such training" in found.attrs["why_nan"]
    assert found["run"].values.tolist() == [["deep-0", "deep-1"], ["", "shallow-1"]]


def test_texts_of_other_numbers_of_sequences_say_so_by_model():
    data = {"a": fake_measurement(sequences=6), "b": fake_measurement(sequences=4)}
    found = collect(data).values("loss")
    assert found["document"].dims == ("model", "sequence")
    assert found.sel(model="b").isel(sequence=slice(4, None)).isnull().all()
    with pytest.raises(ValueError, match="different texts"):
        collect({"a": list(data.values())}).values("loss")


def test_the_entry_of_a_further_dimension_is_chosen_once(tmp_path):
    archive = open_archive(fake_archive(tmp_path, models=("transformer",), seeds=1))
    usual = archive.values("sink_rate")
    assert usual.attrs["entry"] == "threshold 0.3"
    xr.testing.assert_identical(usual.drop_attrs(), archive.values("sink_rate:0.3").drop_attrs())
    xr.testing.assert_identical(usual, archive.values("sink_rate", entry={"threshold": 0.3}))
    assert archive.values("value_source_share").attrs["entry"] == "source first"
    assert archive.values("value_source_share", entry="every").dims[-1] == "source"
    with pytest.raises(ValueError, match="is one of"):
        archive.values("sink_rate:0.123")
    with pytest.raises(ValueError, match="no further dimension 'source'"):
        archive.values("sink_rate", entry={"source": "first"})
    with pytest.raises(KeyError, match="did you mean 'entropy'"):
        archive.values("entrpy")


def test_moments_are_those_that_all_share(tmp_path):
    archive = open_archive(fake_archive(tmp_path, models=("transformer", "dva"), seeds=1))
    every = archive.values("entropy", moment="every")
    assert every.dims[2] == "step"
    steps = every["step"].values
    last, start = archive.values("entropy"), archive.values("entropy", moment="start")
    np.testing.assert_array_equal(last.values, every.sel(step=steps[-1]).values)
    np.testing.assert_array_equal(start.values, every.sel(step=steps[0]).values)
    assert last.attrs["moment"] == f"at step {steps[-1]}"
    equal = archive.values("loss", moment="loss")
    target = archive.on().moment("loss").at
    np.testing.assert_allclose(equal.mean("sequence").values.ravel(), target, rtol=1e-6)
    with pytest.raises(ValueError, match="measured once"):
        collect(fake_measurement()).values("entropy", moment="loss")


def test_what_is_read_is_the_text_that_was_asked_for(tmp_path):
    archive = open_archive(fake_archive(tmp_path, models=("transformer",), seeds=1))
    assert archive.texts == ("held-out", "shuffled")
    assert archive.values("entropy", text="shuffled").attrs["text"] == "shuffled"
    assert not np.array_equal(
        archive.values("entropy").values, archive.values("entropy", text="shuffled").values
    )
    with pytest.raises(ValueError, match="there are: held-out, shuffled"):
        archive.values("entropy", text="nothing")


def test_references_are_averaged_as_the_values_are():
    data = fake_measurement()
    found = collect(data).reference("entropy")
    rows = data["rows"]
    truth = data["entropy_reference"].weighted(rows).mean("span")
    np.testing.assert_allclose(found.values.ravel(), truth.values)
    assert collect(data).reference("loss") is None


def test_an_estimate_weighs_sequences_by_rows_and_all_else_alike():
    data = fake_measurement(sequences=4)
    values = collect(data).values("entropy")
    found = estimate(values, ("layer",)).sel(model="transformer")
    rows = values["rows"].values
    by_head = (values.values[0, 0] * rows[:, None, None]).sum(0) / rows.sum()
    np.testing.assert_allclose(found["value"].values, by_head.mean(-1))
    assert (found["low"] <= found["value"]).all()
    assert (found["value"] <= found["high"]).all()
    assert (int(found["sequences"]), int(found["documents"]), int(found["trainings"])) == (4, 2, 1)
    whole = estimate(values)["value"].item()
    np.testing.assert_allclose(whole, found["value"].mean().item())


def test_seeds_of_one_number_are_told_apart_by_order():
    data = fake_measurement()
    found = collect({"model": [data, data]})
    assert found.seeds == (0, 1)
    with pytest.raises(ValueError, match="nothing to read"):
        collect({})


def test_an_estimate_of_one_model_does_not_hang_on_the_others():
    several = {
        "deep": [fake_measurement("transformer", seed, layers=6) for seed in (0, 1)],
        "shallow": fake_measurement("dva", layers=3, heads=2),
        "short": fake_measurement("resformer-identity", sequences=4),
    }
    joint = collect(several)
    for model, data in several.items():
        alone = collect({model: data}).estimate("entropy", ("layer",)).sel(model=model)
        found = joint.estimate("entropy", ("layer",)).sel(model=model, layer=alone["layer"])
        for name in ("value", "low", "high"):
            np.testing.assert_allclose(found[name].values, alone[name].values, rtol=1e-12)
        for name in ("sequences", "documents", "trainings", "note"):
            assert found[name].item() == alone[name].item()


def test_what_was_read_once_is_not_read_again(monkeypatch):
    data = collect({name: fake_measurement(name) for name in ("transformer", "dva")})
    read, plain = [], Extract.of
    monkeypatch.setattr(Extract, "of", lambda *args: read.append(args) or plain(*args))
    for _ in range(2):
        data.values("sink_rate")
        data.values("sink_rate:0.3")
        data.holding("sink_rate").values("sink_rate", entry={"threshold": 0.3})
        data.estimate("sink_rate", ("layer",))
        data.of("dva").values("sink_rate")
    assert len(read) == 2 + 1


def test_every_training_can_be_a_model_of_its_own():
    several = collect(
        {"a": [fake_measurement("a", seed) for seed in (3, 5)], "b": fake_measurement("b", 3)}
    )
    separate = several.each_training()
    assert separate.models == ("a · seed 3", "a · seed 5", "b")
    found = separate.values("entropy").sel(model="a · seed 5", seed=5)
    np.testing.assert_array_equal(found, several.values("entropy").sel(model="a", seed=5))


def test_several_texts_keep_a_dimension_and_weigh_alike(tmp_path):
    archive = open_archive(fake_archive(tmp_path, models=("transformer", "dva"), seeds=1))
    separate = [archive.values("entropy", text=text) for text in archive.texts]
    both = archive.values("entropy", text=archive.texts)
    assert both.dims == ("model", "seed", "text", "sequence", "layer", "head")
    for text, one in zip(archive.texts, separate, strict=True):
        np.testing.assert_array_equal(both.sel(text=text), one)
    singles = [estimate(one, ("layer",)) for one in separate]
    found = estimate(both, ("layer",))
    mean = (singles[0]["value"] + singles[1]["value"]) / 2
    np.testing.assert_allclose(found["value"], mean)
    assert (found["low"] < found["value"]).all()
    assert found["sequences"].values.tolist() == [12, 12]
    assert found["documents"].values.tolist() == singles[0]["documents"].values.tolist()
    by_text = estimate(both, ("text", "layer"))
    for text, one in zip(archive.texts, singles, strict=True):
        for name in ("value", "low", "high", "documents"):
            np.testing.assert_array_equal(by_text[name].sel(text=text), one[name])
