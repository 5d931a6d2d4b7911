"""The atlas of a model that ran: planted sinks, learned sinks, and their triad."""

import numpy as np
import pytest
import torch
from families import family
from own_models import tiny, tokens_of
from tokens import word_tokenizer

from dva_lens.diagnostics.sinks import FIELDS, LAYERED, sink_atlas
from dva_lens.measuring import measure

TEXTS = list(tokens_of((32, 32)))


def sinking(bias=40.0):
    """Return a model whose layer 1 looks at token 7 wherever it stands, in head 2 alone."""
    model = tiny("gpt2-style", context=32, sharp=1.0)
    attention = model.blocks[1].attn
    with torch.no_grad():
        direction = torch.zeros(32)
        direction[5] = 1.0
        model.embed.weight[7] += bias * direction
        attention.query.bias.zero_()
        attention.query.bias[16] = 20.0
        attention.key.weight[16] = direction
    return model


def planted():
    texts = tokens_of((32, 32))
    texts[texts == 7] = 8
    texts[0, 3] = 7
    texts[1, 9] = 7
    return list(texts)


def test_a_planted_sink_is_found_where_it_stands():
    found = sink_atlas(sinking(), planted(), tokenizer=word_tokenizer())
    first = found.where(found["primary"], drop=True)
    assert first["sequence"].values.tolist() == [0, 1]
    assert first["position"].values.tolist() == [3, 9]
    assert (first["strength"] > 0.9).all()
    assert first["token"].values[0] == first["token"].values[1]
    assert (first["heads"].sel(layer=1) >= 1).all()
    assert (first["born"] <= 1).all()
    assert (first["dies"] >= 1).all()


def test_its_state_peaks_and_every_column_says_what_it_is():
    found = sink_atlas(sinking(), planted())
    first = found.where(found["primary"], drop=True)
    assert (first["peak"] > 2).all()
    assert np.isfinite(first["drain"]).all()
    assert set(found.data_vars) == {*FIELDS, *LAYERED}
    assert all(found[name].attrs["meaning"] for name in found.data_vars)
    assert len(found.to_dataframe()) == found.sizes["sink"] * found.sizes["layer"]


def test_heads_per_layer_are_what_the_statistic_counts():
    model = sinking()
    found, measured = (
        sink_atlas(model, planted()),
        measure(model, planted(), statistics="sink_count"),
    )
    for sequence in (0, 1):
        mine = found["heads"].where(found["sequence"] == sequence, drop=True).sum("sink")
        np.testing.assert_array_equal(mine, measured["sink_count"][:, :, sequence].sum("head"))


def test_a_learned_sink_stands_before_the_text():
    model = tiny("learned-sink", context=32, sharp=1.0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "sink" in name:
                parameter.fill_(6.0)
    found = sink_atlas(model, TEXTS)
    virtual = found.where(found["position"] == -1, drop=True)
    assert virtual.sizes["sink"] == 2
    assert virtual["primary"].all()
    assert np.isnan(virtual["drain"]).all()
    assert virtual["token"].values.tolist() == ["", ""]


def test_no_sink_is_an_empty_table():
    found = sink_atlas(tiny("transformer", context=32, sharp=1.0), TEXTS)
    assert found.sizes["sink"] == 0
    assert found.attrs["sequences"] == 2
    assert found["heads"].shape == (0, 3)


def test_images_have_no_tokens_to_name():
    with pytest.raises(TypeError, match="needs a text or token ids"):
        sink_atlas(family("vit"), np.zeros((1, 3, 12, 12)))
    with pytest.raises(ValueError, match="whole numbers"):
        sink_atlas(tiny("transformer"), np.zeros((1, 3, 4, 4)))
