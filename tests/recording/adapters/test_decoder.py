import numpy as np
import pytest
import torch
import xarray as xr
from own_models import tiny, tokens_of
from tokens import letters, word_tokenizer

import dva_lens as lens
from dva_lens.models.checkpoint import save_checkpoint
from dva_lens.recording import attach, from_cache, record
from dva_lens.sites import LOSS, STREAM, SUMMARY

FULL = np.array([13, 13])


def _shares(name):
    found = record(tiny(name), tokens_of(FULL))
    return [dict(zip(x.mix.sources, x.mix.share.mean((0, 2)), strict=True)) for x in found.layers]


def test_values_of_their_own_come_from_nowhere_else():
    assert _shares("transformer") == [{"own": 1.0}] * 3


def test_shared_values_come_from_their_donor():
    assert [set(each) for each in _shares("cla")] == [{"own"}, {"donor"}, {"own"}]


def test_first_layer_values_come_from_the_first_layer():
    assert [set(each) for each in _shares("svformer")] == [{"own"}, {"first"}, {"first"}]
    mixed = _shares("resformer-identity")
    assert mixed[0] == {"own": 1.0}
    for shares in mixed[1:]:
        assert set(shares) == {"own", "first"}
        np.testing.assert_allclose(sum(shares.values()), 1.0)
        assert 0 < shares["first"] < 1


def test_context_free_values_come_from_the_table():
    assert _shares("token-table")[-1] == {"table": 1.0}


def test_only_values_of_pairs_are_dynamic():
    names = {"dva-static": 0, "dva-value-mlp": 0, "dva-separable": 1, "dva": 1, "dva-experts": 1}
    for name, dynamic in names.items():
        found = lens.measure(tiny(name), tokens_of(FULL), statistics="dynamism")["dynamism"]
        assert (found.values > 1e-3).all() == bool(dynamic), name
        assert (np.abs(found.values) < 1e-5).all() != bool(dynamic), name


def test_one_attachment_sees_pass_after_pass():
    model = tiny("transformer")
    with torch.no_grad(), attach(model, (SUMMARY, STREAM)) as recorder:
        for length in (13, 9):
            model(torch.as_tensor(tokens_of([length])))
            taken = recorder.take(3)
            assert taken[2].summary.entropy.shape == (1, 4, length)
            assert taken[2].stream.norm.shape == (1, length)


def test_several_texts_in_one_sequence_are_refused():
    model = tiny("transformer")
    segments = torch.tensor([[1, 1, 1, 2, 2]])
    with pytest.raises(NotImplementedError, match="each text as a sequence"), attach(model):
        model(torch.as_tensor(tokens_of([5])), segments=segments)


def test_an_attention_that_does_not_attend_is_named():
    model = tiny("transformer")
    model.blocks[1].attn.hook_pattern.add_hook(lambda pattern, hook: None)
    with pytest.raises(TypeError, match=r"Layers \[1\] of Decoder did not attend"):
        record(model, tokens_of(FULL))


def test_only_what_is_asked_for_is_recorded():
    found = record(tiny("transformer"), tokens_of(FULL), sites=(LOSS,))
    assert found.layers[0].summary is None
    assert np.isfinite(found.loss[:, :-1]).all()
    with pytest.raises(KeyError, match="'stream' was not recorded"):
        found.layers[0].at(STREAM)


def test_the_cache_of_a_model_says_what_recording_says():
    model = tiny("gqa")
    _, cache = model.run_with_cache(torch.as_tensor(tokens_of(FULL)))
    found = from_cache(cache)
    expected = record(model, tokens_of(FULL))
    for layer, other in zip(found.layers, expected.layers, strict=True):
        for site in ("summary", "values", "stream"):
            for name, value in vars(getattr(other, site)).items():
                if name != "log_sum_exp":
                    np.testing.assert_allclose(
                        getattr(getattr(layer, site), name), value, atol=1e-4, err_msg=name
                    )


def test_a_checkpoint_is_loaded_and_measured_on_a_text(tmp_path):
    model = tiny("dva")
    save_checkpoint(tmp_path / "dva-0", model, word_tokenizer(), {})
    loaded = lens.load(tmp_path / "dva-0")
    found = lens.measure(loaded, letters(40), keep="query")
    again = lens.measure(model, letters(40), tokenizer=word_tokenizer(), keep="query")
    xr.testing.assert_identical(found.drop_attrs(), again.drop_attrs())
    assert found["length"].values.tolist() == [16, 16, 8]
    assert found.attrs["model"] == "dva-0"
    assert found["token"][0, :3].values.tolist() == ["a", "b", "c"]
    assert found.attrs["bos"] == "none; the tokenizer adds no special tokens"


def test_tokens_out_of_range_are_refused():
    with pytest.raises(ValueError, match="Token id 61 is out of range"):
        lens.measure(tiny("dva"), [5, 61])
