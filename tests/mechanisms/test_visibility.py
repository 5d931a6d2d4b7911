"""Every visibility against a second writing of the whole model, gradients included."""

import numpy as np
import pytest
import torch
from materialised import second_writing
from own_models import tiny, tokens_of
from small_models import SIZE, random_tokens, sharp

from dva_lens.kernels.blocks import counts
from dva_lens.kernels.rule import Rule
from dva_lens.mechanisms.visibility.routed import RoutedKeys
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


def by_blocks(size, top):
    """Route one query after the other, as the words have it."""

    def seen(query, key):
        length = query.shape[1]
        found = torch.zeros(len(query), 1, length, length, dtype=torch.bool)
        for text in range(len(query)):
            wide = key[text].repeat_interleave(query.shape[2] // key.shape[2], dim=1)
            means = [part.mean(0) for part in wide.split(size)]
            for place in range(length):
                own = place // size
                mean = query[text, own * size : place + 1].mean(0)
                past = sorted(range(own), key=lambda each: -(mean * means[each]).sum())[:top]
                for each in (*past, own):
                    found[text, 0, place, each * size : (each + 1) * size] = True
        return found.tril()

    return seen


SECOND = {
    "routed": ({"kind": "routed", "block": 3, "top": 2}, by_blocks(3, 2)),
    "routed to one of many": ({"kind": "routed", "block": 1, "top": 1}, by_blocks(1, 1)),
    "an eighth": ("routed", by_blocks(4, 2)),
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


@pytest.mark.parametrize("chosen", [WindowedKeys(), RoutedKeys(), RoutedKeys(block=5, top=3)])
@pytest.mark.parametrize("length", [1, 5, 8, 31])
def test_keys_are_counted_on_average(chosen, length):
    shape = Size(layers=1, width=8, heads=1, vocabulary=9, context=32).config().shape
    rule = chosen.build(shape)(Rule(1.0), torch.ones(1, length, 1, 8), torch.ones(1, length, 1, 8))
    counted, _ = counts(rule, length, batch=1, device=torch.device("cpu"))
    assert chosen.keys(shape, length) == pytest.approx(counted.double().mean().item())


def test_routes_of_a_text_do_not_depend_on_what_stands_before_it():
    """Blocks begin anew with every text, also where another or padding comes first."""
    chosen = RoutedKeys(block=3, top=1).build(SIZE.config().shape)
    draw = torch.Generator().manual_seed(5)
    query, key = (torch.randn(1, 20, 2, 16, generator=draw) for _ in range(2))
    place = torch.arange(20)
    alone = chosen(Rule(1.0), query[:, 7:], key[:, 7:]).visible(*2 * [place[:13]], place[:1])
    for before in (0, 1):
        segments = torch.tensor([[before] * 7 + [2] * 13])
        packed = chosen(Rule(1.0, segments=segments), query, key)
        seen = packed.visible(place, place, place[:1])[0, 0]
        assert torch.equal(seen[7:, 7:], alone[0, 0])
        assert not seen[7:, :7].any()


def test_the_future_has_no_say_in_routes():
    chosen = RoutedKeys(block=3, top=1).build(SIZE.config().shape)
    draw = torch.Generator().manual_seed(5)
    query, key = (torch.randn(2, 30, 2, 16, generator=draw) for _ in range(2))
    whole = chosen(Rule(1.0), query, key).mask.routes
    assert len(whole.unique()) > 8
    for length in range(1, 30):
        some = chosen(Rule(1.0), query[:, :length], key[:, :length]).mask.routes
        assert torch.equal(some, whole[:, :length, : some.shape[-1]])


def test_groups_of_heads_are_routed_by_all_of_their_queries():
    model = sharp(SIZE.config(visibility="routed", kv_heads=1))
    caught = {}
    names = ("hook_q", "hook_k", "hook_pattern")
    hooks = [
        (f"blocks.1.attn.{name}", lambda made, hook: caught.update({hook.name[14:]: made}))
        for name in names
    ]
    model.run_with_hooks(TOKENS, fwd_hooks=hooks)
    query, key, pattern = (caught[name] for name in names)
    assert torch.equal(pattern > 0, by_blocks(4, 2)(query, key).expand_as(pattern))


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
