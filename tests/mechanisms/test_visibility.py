"""Every visibility against a second writing of the whole model, gradients included."""

import numpy as np
import pytest
import torch
from materialised import second_writing
from own_models import tiny, tokens_of
from small_models import SIZE, random_tokens, sharp

from dva_lens.mechanisms.visibility.window import WindowedKeys
from dva_lens.models.costs import flops_per_token
from dva_lens.models.size import Size
from dva_lens.recording import record

TOKENS = random_tokens()


def in_window(length):
    def seen(query, key):
        gap = torch.arange(query.shape[1])[:, None] - torch.arange(query.shape[1])
        return ((gap >= 0) & (gap < length)).expand(len(query), 1, -1, -1)

    return seen


SECOND = {
    "window": ({"kind": "window", "length": 4}, in_window(4)),
    "window of one": ({"kind": "window", "length": 1}, in_window(1)),
    "a quarter": ("window", in_window(8)),
}


@pytest.mark.parametrize("name", SECOND)
def test_a_visibility_is_its_formula_with_every_gradient(name):
    chosen, seen = SECOND[name]
    model = sharp(SIZE.config(visibility=chosen, feedforward="none"))
    given = torch.randn(2, 13, 41, generator=torch.Generator().manual_seed(3)).double()
    found, expected = model(TOKENS), second_writing(model, TOKENS, seen=seen)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    weights = list(model.parameters())
    ours = torch.autograd.grad((found * given).sum(), weights)
    theirs = torch.autograd.grad((expected * given).sum(), weights, allow_unused=True)
    for one, two in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, torch.zeros_like(one) if two is None else two)


def test_a_window_is_recorded_as_visible_keys():
    found = record(tiny("window", context=32), tokens_of([20]))
    for layer in found.layers:
        np.testing.assert_array_equal(layer.summary.visible[0], np.minimum(np.arange(20) + 1, 8))
        assert (layer.summary.first_mass[..., 8:] == 0).all()


@pytest.mark.parametrize("length", [1, 5, 8, 31])
def test_keys_are_counted_on_average(length):
    shape = Size(layers=1, width=8, heads=1, vocabulary=9, context=32).config().shape
    counted = sum(min(query + 1, 8) for query in range(length)) / length
    assert WindowedKeys().keys(shape, length) == pytest.approx(counted)


def test_a_longer_text_costs_a_window_nothing_more():
    config = SIZE.config(visibility={"kind": "window", "length": 3})
    short, long = (flops_per_token(config, length) for length in (10**4, 10**6))
    assert long == pytest.approx(short, rel=1e-4)


def test_standard_layers_see_all_keys():
    model = sharp(SIZE.config(visibility="window", standard_layers=(1,)))
    _, cache = model.run_with_cache(TOKENS)
    first = [bool((cache["pattern", layer][:, :, 8:, 0] == 0).all()) for layer in range(3)]
    assert first == [True, False, True]


def test_a_window_cannot_be_negative():
    with pytest.raises(ValueError, match="length must be at least 0"):
        SIZE.config(visibility={"kind": "window", "length": -1})
