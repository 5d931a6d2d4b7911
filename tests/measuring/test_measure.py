import json

import memory
import numpy as np
import pytest
import torch
import xarray as xr
from families import family
from own_models import tiny
from records import random_record, uniform_record
from tokens import letters, word_tokenizer, wrapped

import dva_lens as lens
from dva_lens.data.documents import Document, corpus_of
from dva_lens.data.evaluation import EvaluationText
from dva_lens.measuring import describe, measure
from dva_lens.recording.adapters import decoder, hooks
from dva_lens.recording.adapters.anatomy import Anatomy
from dva_lens.recording.fidelity import OwnPass
from dva_lens.results.schema import beside, check_measurement
from dva_lens.statistics.table import RECORDED, STATISTICS

IDS = np.random.default_rng(0).integers(3, 61, (4, 13))


@pytest.fixture(scope="module")
def model():
    return family("llama")


@pytest.fixture(scope="module")
def data(model):
    return measure(model, IDS)


def test_the_primary_set_comes_with_the_schema_of_archives(data):
    check_measurement(data, "test")
    assert [name for name in data.data_vars if name in STATISTICS] == list(RECORDED)
    assert data["entropy"].dims == ("layer", "head", "sequence", "span")
    assert data["value_drain"].dims == ("layer", "kv_head", "sequence")
    assert data["sink_rate"].dims == ("layer", "head", "sequence", "threshold")
    assert data["value_source_share"].dims == ("layer", "kv_head", "sequence", "source")
    assert data["importance_entropy"].dims == ("layer", "sequence")
    assert data["loss"].dims == ("sequence",)
    assert dict(data.sizes) | {"threshold": 9, "source": 4} == {
        "layer": 2, "head": 4, "kv_head": 2, "sequence": 4, "span": 4, "threshold": 9, "source": 4,
    }  # fmt: skip
    assert data["source"].values.tolist() == ["own", "first", "donor", "table"]
    assert data["length"].values.tolist() == [13] * 4


def test_every_number_says_what_it_is(data):
    for name in RECORDED:
        attrs = data[name].attrs
        assert attrs["units"]
        assert attrs["meaning"]
        assert ("why_no_reference" in attrs) == (f"{name}_reference" not in data)
    provenance = json.loads(data.attrs["provenance"])
    assert provenance["backend"] == data.attrs["backend"]
    assert data.attrs["fidelity_output"] < 1e-4
    assert data.attrs["fidelity_loss"] < 1e-5
    assert data.attrs["fidelity_rows"] < 1e-5
    assert data.attrs["bos"] == "token ids were taken as given"


def test_measuring_twice_gives_the_same_numbers(model, data):
    assert lens.measure is measure
    again = lens.measure(model, IDS)
    xr.testing.assert_identical(data.drop_attrs(), again.drop_attrs())


def test_the_batch_size_does_not_matter(model, data):
    one = measure(model, IDS, batch=1)
    xr.testing.assert_allclose(data.drop_attrs(), one.drop_attrs(), atol=1e-5)


def test_rows_count_the_queries_of_each_span(data):
    assert (data["rows"].values == [1, 2, 4, 6]).all()
    np.testing.assert_allclose(data["effective_keys_reference"][0], [1, 2.5, 5.5, 10.5])


def test_references_are_read_on_uniform_attention():
    record = uniform_record((40, 7))
    found = describe(record)
    for name in RECORDED:
        if f"{name}_reference" not in found:
            continue
        value, reference = xr.broadcast(found[name], found[f"{name}_reference"])
        held = np.isfinite(value.values) & np.isfinite(reference.values)
        assert held.any()
        np.testing.assert_allclose(value.values[held], reference.values[held], atol=1e-6)


def test_windowed_and_bidirectional_models_keep_only_references_that_hold():
    found = measure(family("bert"), IDS)
    assert "entropy_reference" in found
    assert "importance_entropy_reference" not in found
    assert "plain causal attention" in found["importance_entropy"].attrs["why_no_reference"]
    windowed = measure(family("qwen2"), IDS)
    assert "sink_importance_reference" not in windowed
    assert (windowed["rows_by_layer"].sum("span") == 13).all()
    assert (windowed["rows"] == windowed["rows_by_layer"][1]).all()


def test_what_does_not_apply_is_nan_with_the_reason():
    found = measure(family("bert"), IDS)
    assert np.isnan(found["loss"]).all()
    assert found["loss"].attrs["why_not"] == "the model does not predict a next token"


def test_statistics_can_be_chosen(model):
    found = measure(model, IDS, statistics=["loss"])
    assert set(found.data_vars) == {"loss", "rows"}
    assert set(measure(model, IDS, statistics="entropy").data_vars) == {
        "entropy", "entropy_reference", "rows",
    }  # fmt: skip


def test_queries_are_kept_for_the_first_sequences(model):
    ids = np.random.default_rng(1).integers(3, 61, (10, 13))
    found = measure(model, ids, keep="query", tokenizer=word_tokenizer())
    kept = found["entropy_by_query"]
    assert kept.dims == ("layer", "head", "shown", "query")
    assert kept["shown"].values.tolist() == list(range(8))
    assert np.isfinite(kept).all()
    assert found["token"].dtype == object
    assert found["token"].shape == (8, 13)
    mean = kept[:, :, :, 7:].mean("query")
    np.testing.assert_allclose(mean, found["entropy"][:, :, :8, 3], rtol=1e-5)


def test_fewer_sequences_are_kept_where_memory_is_short(model, monkeypatch):
    ids = np.random.default_rng(1).integers(3, 61, (5, 13))
    one = measure(model, ids[:1], keep="query", statistics="entropy")["entropy_by_query"]
    monkeypatch.setattr("dva_lens.measuring.passes.KEPT_BUDGET", 3 * one.nbytes)
    found = measure(model, ids, keep="query", statistics="entropy", batch=2)
    assert found["entropy_by_query"].sizes["shown"] == 3
    np.testing.assert_allclose(found["entropy_by_query"][:, :, :1], one, rtol=1e-5)


def test_keeping_too_much_is_refused_with_bytes(model, monkeypatch):
    monkeypatch.setattr("dva_lens.measuring.passes.KEPT_BUDGET", 1000)
    with pytest.raises(
        MemoryError, match=r"Keeping 7 statistics of every query of one sequence would take .* KiB"
    ):
        measure(model, IDS, keep="query")


def test_large_logits_are_refused_before_they_are_formed(monkeypatch):
    model = family("gemma2")
    monkeypatch.setattr("dva_lens.measuring.prepare.LOGITS_BUDGET", 1000)
    with pytest.raises(MemoryError, match="puts out for 13 tokens would take"):
        measure(model, IDS)


def test_a_long_text_is_cut_into_windows(model):
    tokenizer = word_tokenizer()
    found = measure(model, letters(150), tokenizer=tokenizer, statistics="entropy")
    assert found["length"].values.tolist() == [64, 64, 22]
    assert (found.attrs["window"], found.attrs["stride"]) == (64, 64)
    found = measure(
        model, letters(100), tokenizer=tokenizer, statistics="entropy", length=40, stride=30
    )
    assert found["length"].values.tolist() == [40, 40, 40]
    assert set(found["document"].values) == {"text"}


@pytest.mark.parametrize("wrap", [wrapped, lambda tokenizer: tokenizer], ids=["hf", "own"])
def test_every_window_gets_the_special_tokens_and_the_data_says_so(model, wrap):
    tokenizer = wrap(word_tokenizer(start=True, end=True))
    found = measure(model, letters(100), tokenizer=tokenizer, length=52, keep="query")
    assert found["length"].values.tolist() == [52, 52]
    assert found["token"][:, 0].values.tolist() == ["<s>", "<s>"]
    assert found["token"][0, 51].item() == "</s>"
    assert found.attrs["bos"] == "each window begins with <s> and ends with </s>"
    assert found.attrs["padding_side"] == "right"
    bare = measure(
        model, letters(100), tokenizer=tokenizer, special_tokens=False, statistics="loss"
    )
    assert bare.attrs["bos"] == "none; special tokens were switched off"


def test_texts_corpora_and_evaluation_texts_name_their_documents(model):
    tokenizer = word_tokenizer()
    texts = [letters(20), letters(30)]
    found = measure(model, texts, tokenizer=tokenizer, documents=["x", "y"], statistics="loss")
    assert found["document"].values.tolist() == ["x", "y"]
    corpus = corpus_of("c", (Document("m", letters(20)), Document("n", letters(90))))
    found = measure(model, corpus, tokenizer=tokenizer, statistics="loss")
    assert found["document"].values.tolist() == ["m", "n", "n"]
    text = EvaluationText("p", IDS, np.array([13, 13, 7, 13]), ("a", "b", "c", "d"))
    found = measure(model, text, statistics=("entropy", "loss"))
    assert found["length"].values.tolist() == [13, 13, 7, 13]
    assert found.attrs["text"] == "p"
    alone = measure(model, IDS[2:3, :7], statistics=("entropy", "loss"))
    np.testing.assert_allclose(found["loss"][2], alone["loss"][0], rtol=1e-5)
    np.testing.assert_allclose(found["entropy"][:, :, 2, :3], alone["entropy"][:, :, 0], atol=1e-5)


def test_tensors_and_ragged_lists_are_token_ids_too(model):
    found = measure(model, torch.tensor(IDS), statistics="loss")
    ragged = measure(model, [IDS[0].tolist(), IDS[1, :7].tolist()], statistics="loss")
    np.testing.assert_allclose(found["loss"][0], ragged["loss"][0], rtol=1e-5)
    assert ragged["length"].values.tolist() == [13, 7]


def test_progress_tells_what_is_left(model):
    seen = []
    measure(model, IDS, batch=2, statistics="loss", progress=seen.append)
    assert [each.done for each in seen] == [2, 4]
    assert seen[-1].total == 4
    assert seen[-1].seconds_left == 0


def test_a_long_text_takes_memory_by_the_window(model):
    tokenizer = word_tokenizer()

    def peak(tokens):
        text = letters(tokens)
        return memory.peak(lambda: measure(model, text, tokenizer=tokenizer, length=16, batch=16))

    short, long = peak(320), peak(960)
    per_window = (long - short) / 40
    assert per_window < 40_000  # the results themselves; no window's records are kept


def test_images_are_measured(model):
    images = np.random.default_rng(0).standard_normal((3, 3, 12, 12)).astype(np.float32)
    found = measure(family("vit"), images)
    assert found["entropy"].shape == (2, 4, 3, 4)
    assert found["length"].values.tolist() == [10, 10, 10]


def test_records_from_elsewhere_are_described_alike():
    found = describe(random_record((13, 7), layers=3), documents=["x", "y"], name="mine")
    check_measurement(found, "test")
    assert found.attrs["model"] == "mine"
    assert found.sizes["layer"] == 3


@pytest.mark.parametrize(
    ("what", "how", "error", "message"),
    [
        ("", {"tokenizer": word_tokenizer()}, ValueError, "has 0 tokens"),
        ("a", {"tokenizer": word_tokenizer()}, ValueError, "has 1 tokens"),
        ("a b c", {}, ValueError, "came without a tokenizer"),
        ([], {}, ValueError, "no token ids"),
        ([5], {}, ValueError, "at least 2 tokens"),
        ([1.5, 2.5], {}, ValueError, "whole numbers"),
        ([5, 61], {}, ValueError, "Token id 61 is out of range.*61 tokens, 0 to 60"),
        ([5, -2], {}, ValueError, "Token id -2 is out of range"),
        (np.ones((2, 65), dtype=int), {}, ValueError, "up to 65 tokens, but there is room for 64"),
        (IDS, {"length": 100}, ValueError, "length is 100 tokens, but the model has 64 positions"),
        (IDS, {"length": 1}, ValueError, "length must be at least 2"),
        (IDS[0], {"length": 5, "stride": 6}, ValueError, "tokens are left out, got 6"),
        (IDS[0], {"stride": 0}, ValueError, "stride must be at least 1"),
        (IDS, {"batch": 0}, ValueError, "batch_size must be at least 1"),
        (IDS, {"documents": ["x"]}, ValueError, "name each of 4 sequences, got 1"),
        (IDS, {"statistics": ["entropi"]}, KeyError, "entropi.*entropy"),
        (IDS, {"statistics": []}, ValueError, "statistics is empty"),
        (IDS, {"keep": "key"}, ValueError, "keep must be 'query'"),
        (IDS, {"backend": "fastest"}, (KeyError, ValueError), "fastest"),
        (7, {}, TypeError, "Pass a text or token ids"),
    ],
)
def test_bad_input_gets_one_sentence(model, what, how, error, message):
    with pytest.raises(error, match=message):
        measure(model, what, **how)


def test_only_models_can_be_measured():
    with pytest.raises(TypeError, match="Linear cannot be recorded"):
        measure(torch.nn.Linear(2, 2), IDS)


def test_a_model_is_looked_over_once_and_compared_once(model, monkeypatch):
    looked, compared = [], []
    find, compare = Anatomy.of, OwnPass.of
    monkeypatch.setattr(Anatomy, "of", lambda model: looked.append(model) or find(model))
    monkeypatch.setattr(OwnPass, "of", lambda *asked: compared.append(asked) or compare(*asked))
    measure(model, IDS, batch=1)
    assert looked == [model]
    assert len(compared) == 1


@pytest.mark.parametrize("place", [decoder, hooks], ids=["own", "transformers"])
def test_the_output_projections_are_read_once_whatever_the_number_of_passes(place, monkeypatch):
    read, gram_of = [], place.gram_of
    monkeypatch.setattr(place, "gram_of", lambda output: read.append(output) or gram_of(output))
    model, layers = (tiny("transformer"), 3) if place is decoder else (family("llama"), 2)
    measure(model, IDS, batch=1, statistics=["written_value_drain"])
    assert len(read) == layers


def test_the_most_attended_key_of_every_text_has_a_token(model):
    ids = np.random.default_rng(1).integers(3, 61, (3, 40))
    data = measure(model, ids)
    position = data["top_key_position"].values.astype(int)
    want = np.take_along_axis(ids, position.reshape(-1, 3).T, 1).T.reshape(position.shape)
    np.testing.assert_array_equal(data["top_key_token"].values, want)
    assert data["top_key_text"].values.tolist() == want.astype(str).tolist()
    assert data["top_key_text"].dims == data["top_key_mass"].dims
    assert set(beside(data, "top_key_mass")) == {
        f"top_key_{name}"
        for name in ("position", "token", "text", "earlier", "queries", "even", "drain")
    }
