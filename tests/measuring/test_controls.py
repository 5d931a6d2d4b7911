"""Controls keep what they should and destroy the rest."""

import numpy as np
import pytest
import torch
from families import family
from own_models import tiny, tokens_of
from tokens import letters, word_tokenizer

from dva_lens.cli.measure import Control
from dva_lens.measuring import measure
from dva_lens.measuring.controls import CONTROLS, measure_control, reinitialised

LENGTHS = (16, 11)
ROWS = [row[:length] for row, length in zip(tokens_of(LENGTHS), LENGTHS, strict=True)]


def test_the_command_line_offers_every_control():
    assert tuple(each.value for each in Control) == CONTROLS


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("name", ["own", "llama"])
def test_a_control_has_the_shape_of_its_measurement(name, control):
    model = tiny("transformer") if name == "own" else family("llama")
    text, found = measure(model, ROWS), measure_control(model, ROWS, control)
    assert found["entropy"].shape == text["entropy"].shape
    np.testing.assert_array_equal(found["length"], text["length"])
    np.testing.assert_array_equal(found["document"], text["document"])
    assert found.attrs["text"] == control
    assert not found["entropy"].equals(text["entropy"])


def test_one_repeated_token_leaves_a_model_with_rotary_positions_nothing_to_choose():
    found = measure_control(tiny("transformer"), ROWS, "repeated")
    again = measure_control(tiny("transformer"), ROWS, "repeated", seed=1)
    assert not found["loss"].equals(again["loss"])
    np.testing.assert_allclose(found["value_drain"], 1.0, atol=1e-4)


def test_windows_and_start_tokens_are_those_of_the_text():
    model, tokenizer = family("llama"), word_tokenizer(start=True)
    chosen = {"tokenizer": tokenizer, "length": 9, "statistics": "loss", "keep": "query"}
    text = measure(model, letters(30), **chosen)
    found = measure_control(model, letters(30), "shuffled", **chosen)
    assert (found["token"][:, 0] == "<s>").all()
    np.testing.assert_array_equal(found["length"], text["length"])
    assert found.attrs["bos"] == text.attrs["bos"]
    for before, after in zip(text["token"].values, found["token"].values, strict=True):
        assert sorted(before) == sorted(after)
    assert not text["token"].equals(found["token"])


@pytest.mark.parametrize("make", [lambda: tiny("dva"), lambda: family("gpt2")])
def test_new_weights_depend_on_the_seed_and_leave_the_old_ones(make):
    model = make()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    one, same, other = (reinitialised(model, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    name = next(name for name, value in one.named_parameters() if value.ndim > 1)
    weights = [each.state_dict()[name] for each in (one, same, other, model)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], weights[3])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not one.training


def test_new_weights_keep_dtype_and_tokenizer():
    model = tiny("transformer").double()
    model.tokenizer = word_tokenizer()
    found = reinitialised(model, 3)
    assert next(found.parameters()).dtype == torch.float64
    assert found.tokenizer is model.tokenizer


def test_an_unknown_control_is_named():
    with pytest.raises(KeyError, match="Unknown control 'permuted'; there are: shuffled"):
        measure_control(tiny("transformer"), ROWS, "permuted")


def test_new_weights_attend_almost_evenly_where_the_trained_ones_choose():
    model, ids = tiny("transformer", context=256, sharp=30.0), tokens_of((256,))
    name = "importance_entropy"
    trained = measure(model, ids, statistics=name)
    found = measure_control(model, ids, "random-init", statistics=name)
    difference = [abs(each[name] - each[f"{name}_reference"]).max() for each in (trained, found)]
    assert difference[0] > 0.05
    assert difference[1] < 0.01
