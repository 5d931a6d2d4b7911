"""Models against a baseline: one family, one contrast, one check of the texts, one verdict."""

import numpy as np
import pytest
from fakes import fake_archive, fake_measurement

from dva_lens.results.archive import open_archive
from dva_lens.results.collect import collect
from dva_lens.results.compare import compare
from dva_lens.results.differences import differences
from dva_lens.results.estimates import estimate
from dva_lens.results.same_text import same_text
from dva_lens.statistics.inference.multiplicity import holm
from dva_lens.statistics.table import PRIMARY


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    return open_archive(fake_archive(tmp_path_factory.mktemp("compared"))).on()


@pytest.fixture(scope="module")
def found(measured):
    return compare(measured)


def test_the_family_is_all_models_primary_statistics_and_contrasts(found):
    layered = [name for name in PRIMARY if name != "loss"]
    assert found.baseline == "transformer"
    assert found.family == len(found.entries) == 3 * (2 * len(layered) + 1)
    assert found.contrasts == ("middle half", "slope", "mean")
    assert [entry.contrast for entry in found.of("loss")] == ["mean"] * 3
    adjusted = holm(np.array([float(entry.text.p) for entry in found.entries]))
    np.testing.assert_array_equal(adjusted, [entry.text_adjusted for entry in found.entries])


def test_what_is_asked_for_besides_is_exploration(measured, found):
    more = compare(measured, statistics=("sink_rate:0.1", "entropy"))
    assert more.family == found.family
    (one,) = more.of("entropy", model="dva", contrast="slope")
    (same,) = found.of("entropy", model="dva", contrast="slope")
    assert one.text_adjusted == same.text_adjusted
    assert not any(entry.primary for entry in more.of("sink_rate:0.1"))


def test_a_difference_is_the_difference_of_what_views_show(measured, found):
    values = measured.values("entropy")
    middle = estimate(values.isel(layer=[1, 2]))["value"]
    for entry in found.of("entropy", contrast="middle half"):
        shown = middle.sel(model=entry.model) - middle.sel(model="transformer")
        np.testing.assert_allclose(float(entry.text.mean), shown.item(), atol=1e-14)
        np.testing.assert_allclose(float(entry.retrained.mean), shown.item(), atol=1e-14)


def test_layers_and_heads_are_there_to_explore(measured):
    by_layer = estimate(measured.values("entropy"), ("layer",))["value"]
    difference = differences(measured, "entropy")
    shown = by_layer.sel(model=difference["model"]) - by_layer.sel(model="transformer")
    np.testing.assert_allclose(difference["value"].values, shown.values, atol=1e-14)
    assert (difference["adjusted"] >= difference["p"]).all()
    by_head = differences(measured, "entropy", ("layer", "head"))
    assert by_head["model"].values.tolist() == ["resformer-identity"]


def test_two_layers_are_compared_by_their_mean():
    data = {name: fake_measurement(name, layers=2) for name in ("transformer", "dva")}
    assert compare(collect(data)).contrasts == ("mean",)


def test_models_of_other_depths_are_compared_over_depth():
    data = {
        "transformer": fake_measurement("transformer", layers=8),
        "dva": fake_measurement("dva", layers=4),
    }
    found = compare(collect(data))
    values = collect(data).values("entropy")
    deep = estimate(values.sel(model=["transformer"]).isel(layer=slice(2, 6)))["value"].item()
    shallow = estimate(values.sel(model=["dva"]).isel(layer=slice(1, 3)))["value"].item()
    (one,) = found.of("entropy", contrast="middle half")
    np.testing.assert_allclose(float(one.text.mean), shallow - deep)
    assert not differences(collect(data), "entropy").sizes["model"]


def test_other_texts_are_refused_though_they_are_as_many():
    ours, theirs = fake_measurement("transformer"), fake_measurement("dva")
    names = np.array([f"elsewhere{at}" for at in range(6)], dtype=object)
    theirs = theirs.assign_coords(document=("sequence", names))
    with pytest.raises(ValueError, match="dva-0 was measured on other texts than transformer-0"):
        compare(collect({"transformer": ours, "dva": theirs}))


def test_other_parts_are_refused_though_their_texts_are_the_same():
    ours, theirs = fake_measurement("transformer"), fake_measurement("dva")
    decoders = {"a": ours.assign_attrs(part="decoder"), "b": theirs.assign_attrs(part="decoder")}
    assert not same_text(collect(decoders)).by_document
    crossing = decoders | {"b": theirs.assign_attrs(part="cross")}
    with pytest.raises(ValueError, match="b-0 is the part 'cross' of a model, and a-0"):
        same_text(collect(crossing))


def test_hashes_of_tokens_see_what_names_do_not():
    ours, theirs = fake_measurement("transformer"), fake_measurement("dva")
    assert "schema 1" in same_text(collect({"a": ours, "b": theirs})).note
    ours = ours.assign_coords(tokens_sha256=("sequence", np.array(list("abcdef"), object)))
    same = theirs.assign_coords(tokens_sha256=ours["tokens_sha256"].variable)
    assert not same_text(collect({"a": ours, "b": same})).note
    other = theirs.assign_coords(tokens_sha256=("sequence", np.array(list("abcdeX"), object)))
    with pytest.raises(ValueError, match="same names, other content"):
        same_text(collect({"a": ours, "b": other}))


def test_other_tokenizers_are_compared_by_document_and_token_numbers_refused():
    ours = fake_measurement("transformer", sequences=6)
    theirs = fake_measurement("dva", sequences=6)
    hashes = [np.array([f"{who}{at}" for at in range(6)], object) for who in "ab"]
    texts = ours["document"].values
    data = {
        name: one.assign_coords(
            tokens_sha256=("sequence", tokens), document_sha256=("sequence", texts)
        )
        for (name, one), tokens in zip(
            {"transformer": ours, "dva": theirs}.items(), hashes, strict=True
        )
    }
    found = compare(collect(data))
    assert "entropy depends on how a text is cut into tokens" in found.refused["entropy"]
    assert "loss" in found.refused
    assert "value_drain" in found.statistics
    with pytest.raises(ValueError, match="number per document"):
        compare(collect(data), statistics=("entropy",))
    values = collect(data).values("value_drain")
    middle = estimate(values.isel(layer=[1, 2]))["value"]
    (one,) = found.of("value_drain", contrast="middle half")
    shown = middle.sel(model="dva") - middle.sel(model="transformer")
    np.testing.assert_allclose(float(one.text.mean), shown.item())
    assert one.text.units_count == 3


def test_an_unknown_baseline_is_named(measured):
    with pytest.raises(ValueError, match="No model 'nobody'"):
        compare(measured, "nobody")
