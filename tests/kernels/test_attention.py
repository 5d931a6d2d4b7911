"""The models' forward: torch's bits where torch serves, the reference and its gradients always."""

import pytest
import torch
import torch.nn.functional as F
from attentions import FORMS, LAYOUTS, RULES, Draws, attention

from dva_lens.kernels import reference
from dva_lens.kernels.attention import attend
from dva_lens.kernels.values import PairValuesForm, Pairwise, Static, Summed
from dva_lens.kernels.weights import Weights


@pytest.mark.parametrize("causal", [True, False])
def test_plain_attention_is_torchs_bit_for_bit(causal):
    draw = Draws((2, 4, 4), 50, dtype=torch.float32)
    query, key, value = draw.query(8), draw.key(8), draw.key(8)
    found = attend(query, key, Static(value), Weights(scale=0.3, causal=causal))
    want = F.scaled_dot_product_attention(query, key, value, is_causal=causal, scale=0.3)
    assert torch.equal(found, want)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("weights", RULES)
@pytest.mark.parametrize("form", FORMS)
def test_output_and_every_gradient_are_the_references(form, weights, layout):
    draw = Draws(layout, 33 if layout[0] > 1 else 7, grad=True)
    query, key, values, chosen = attention(draw, form, weights)
    found, want = attend(query, key, values, chosen), reference.attend(query, key, values, chosen)
    torch.testing.assert_close(found, want, rtol=0, atol=1e-12)
    push = torch.randn(want.shape, dtype=want.dtype, generator=draw.random)
    ours = torch.autograd.grad(found, draw.drawn, push, allow_unused=True)
    theirs = torch.autograd.grad(want, draw.drawn, push, allow_unused=True)
    for drawn, ours_each, theirs_each in zip(draw.drawn, ours, theirs, strict=True):
        nothing = torch.zeros_like(drawn)
        pair = (nothing if each is None else each for each in (ours_each, theirs_each))
        torch.testing.assert_close(*pair, rtol=0, atol=1e-11)


@pytest.mark.parametrize("form", ["pairwise", "pair-gated", "experts"])
@pytest.mark.parametrize("length", [1, 15, 16, 17, 131])
def test_pair_values_at_odd_lengths(form, length):
    draw = Draws((3, 2, 1), length, grad=True)
    query, key, values, chosen = attention(draw, form, "causal")
    found, want = attend(query, key, values, chosen), reference.attend(query, key, values, chosen)
    push = torch.randn(want.shape, dtype=want.dtype, generator=draw.random)
    ours = torch.autograd.grad(found, draw.drawn, push)
    theirs = torch.autograd.grad(want, draw.drawn, push)
    for ours_each, theirs_each in zip((found, *ours), (want, *theirs), strict=True):
        torch.testing.assert_close(ours_each, theirs_each, rtol=0, atol=1e-10)


def test_values_may_be_wider_or_narrower_than_queries():
    draw = Draws((1, 2, 2), 20)
    for width in (3, 17):
        query, key, values = draw.query(), draw.key(), Static(draw.key(width))
        weights = Weights(scale=0.4, sink=draw(2))
        torch.testing.assert_close(
            attend(query, key, values, weights), reference.attend(query, key, values, weights)
        )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("form", ["pairwise", "experts", "summed"])
def test_half_inputs_accumulate_in_single(form, dtype):
    half = Draws((1, 2, 1), 40, dtype=dtype)
    wide = Draws((1, 2, 1), 40)
    query, key, values, weights = attention(half, form, "window")
    want = reference.attend(*attention(wide, form, "window"))
    found = attend(query, key, values, weights)
    plain = reference.attend(query, key, values, weights)
    assert found.dtype == dtype
    step = torch.finfo(dtype).eps
    assert (found - want).abs().max() <= (plain - want).abs().max() + step * want.abs().max()


def test_autocast_does_not_reach_into_blocks():
    draw = Draws((1, 1, 1), 40, dtype=torch.float32)
    query, key, values, weights = attention(draw, "pairwise", "causal")
    want = attend(query, key, values, weights)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = attend(query, key, values, weights)
    assert torch.equal(found, want)


def test_values_nobody_mixes_are_refused_by_name():
    class Odd(PairValuesForm):
        def pairs(self, queries, keys, heads):
            raise NotImplementedError

    draw = Draws()
    with pytest.raises(TypeError, match="Odd; there are kernels for Pairwise, PairGated"):
        attend(draw.query(), draw.key(), Odd(), Weights(scale=1.0))


def test_pairwise_gradients_against_differences():
    draw = Draws((1, 1, 1), 5, grad=True)
    query, key, a, b = draw.query(2), draw.key(2), draw.query(3), draw.key(3)

    def run(query, key, a, b):
        return attend(query, key, Pairwise(a, b), Weights(scale=0.7))

    assert torch.autograd.gradcheck(run, (query, key, a, b))


def test_padding_has_no_branch():
    draw = Draws((1, 1, 1), 4)
    segments = torch.tensor([[1, 1, 0, 0]])
    values = Summed(draw.query(3), draw.key(3))
    found = attend(draw.query(), draw.key(), values, Weights(scale=1.0, segments=segments))
    assert found[0, 0, 2:].abs().sum() == 0
