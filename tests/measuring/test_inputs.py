"""Inputs as people have them: each is measured as the plain tokens that it stands for."""

import numpy as np
import pytest
import torch
from families import family
from tokens import letters, word_tokenizer, wrapped

from dva_lens.measuring import measure

TEXTS = [letters(13), letters(7)]
ASKED = ("entropy", "loss", "value_drain")


@pytest.fixture(scope="module")
def model():
    return family("llama")


def _alike(found, expected):
    assert found["length"].values.tolist() == expected["length"].values.tolist()
    for name in ASKED:
        np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("kind", ["pt", "np", None])
def test_an_encoding_is_measured_without_its_padding(model, side, kind):
    tokenizer = wrapped(word_tokenizer(start=True))
    rows = [np.array(tokenizer(text)["input_ids"]) for text in TEXTS]
    encoded = tokenizer(TEXTS, padding=True, padding_side=side, return_tensors=kind)
    for given in (encoded, dict(encoded)):
        _alike(measure(model, given, statistics=ASKED), measure(model, rows, statistics=ASKED))


def test_one_encoded_text_is_cut_into_windows_like_its_ids(model):
    encoded = wrapped(word_tokenizer())(letters(20))
    expected = measure(model, encoded["input_ids"], statistics=ASKED, length=8)
    _alike(measure(model, encoded, statistics=ASKED, length=8), expected)


def test_an_encoding_says_what_is_wrong_with_it(model):
    ids = np.full((1, 5), 7)
    with pytest.raises(KeyError, match=r"must hold 'input_ids'; this one holds \['ids'\]"):
        measure(model, {"ids": ids})
    with pytest.raises(ValueError, match="sequence 0 has a gap"):
        measure(model, {"input_ids": ids, "attention_mask": np.array([[1, 0, 1, 1, 1]])})
    with pytest.raises(ValueError, match="4 positions for 5 tokens"):
        measure(model, {"input_ids": ids, "attention_mask": np.ones((1, 4), int)})
    with pytest.raises(ValueError, match="second segment"):
        measure(model, {"input_ids": ids, "token_type_ids": np.array([[0, 0, 0, 1, 1]])})


def test_special_tokens_that_a_text_holds_are_measured_once_and_said(model):
    tokenizer = wrapped(word_tokenizer(start=True, end=True))
    plain = measure(model, TEXTS, tokenizer=tokenizer, statistics=ASKED)
    marked = [f"<s> {TEXTS[0]} </s>", TEXTS[1]]
    found = measure(model, marked, tokenizer=tokenizer, statistics=ASKED)
    _alike(found, plain)
    assert "1 of 2 texts hold them already, and they are kept once" in found.attrs["bos"]
    assert "already" not in plain.attrs["bos"]


def test_a_window_of_one_token_is_left_out_and_said(model):
    found = measure(model, letters(17), tokenizer=word_tokenizer(), statistics="loss", length=8)
    assert found["length"].values.tolist() == [8, 8]
    assert found.attrs["left_out"] == "1 windows of one token"
    ids = measure(model, np.arange(3, 20), statistics="loss", length=8)
    assert ids.attrs["left_out"] == "1 windows of one token"
    whole = measure(model, letters(16), tokenizer=word_tokenizer(), statistics="loss", length=8)
    assert "left_out" not in whole.attrs


def test_images_come_as_floats_as_whole_numbers_or_alone():
    model = family("vit")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 12, 12), dtype=np.uint8)
    floats = pixels.astype(np.float32) / 255
    expected = measure(model, floats, statistics="entropy")
    found = measure(model, torch.tensor(pixels), statistics="entropy")
    np.testing.assert_array_equal(found["entropy"], expected["entropy"])
    assert found.attrs["pixels"] == "whole numbers divided by 255; no mean was taken off"
    assert "pixels" not in expected.attrs
    alone = measure(model, {"pixel_values": floats[0]}, statistics="entropy")
    rounded = {"rtol": 1e-6}  # a batch of another size sums in another order
    np.testing.assert_allclose(alone["entropy"][:, :, 0], expected["entropy"][:, :, 0], **rounded)
    with pytest.raises(TypeError, match=r"takes images, .* got str of shape \(\)"):
        measure(model, "a text")
