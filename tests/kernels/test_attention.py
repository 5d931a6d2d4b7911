"""The models' forward: torch's bits where torch serves, the reference and its gradients always."""

import pytest
import torch
import torch.nn.functional as F
from attentions import FORMS, LAYOUTS, TAKEN, Draws, attention
from rounding import limits, sums, widened, within

from dva_lens.kernels.attention import attend
from dva_lens.kernels.reference import attention as reference
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import PairValuesForm, Pairwise, Separable, Static


@pytest.mark.parametrize("causal", [True, False])
def test_plain_attention_is_torchs_bit_for_bit(causal):
    draw = Draws((2, 4, 4), 50, dtype=torch.float32)
    query, key, value = draw.query(8), draw.key(8), draw.key(8)
    found = attend(query, key, Static(value), Rule(scale=0.3, causal=causal))
    want = F.scaled_dot_product_attention(query, key, value, is_causal=causal, scale=0.3)
    assert torch.equal(found, want)


def compare(draw, form, weights):
    """Hold the output and every gradient to the reference, both in float64."""
    query, key, values, chosen = attention(draw, form, weights)
    found, want = attend(query, key, values, chosen), reference.attend(query, key, values, chosen)
    with torch.no_grad():
        within(found, want, 2 * limits(query, key, values, chosen, dtype=draw.dtype)["output"])
    push = torch.randn(want.shape, dtype=want.dtype, generator=draw.random)
    ours = torch.autograd.grad(found, draw.drawn, push, allow_unused=True)
    theirs = torch.autograd.grad(want, draw.drawn, push, allow_unused=True)
    operations = draw.heads * draw.length * sum(each.shape[-1] for each in draw.drawn)
    for drawn, mine, other in zip(draw.drawn, ours, theirs, strict=True):
        nothing = torch.zeros_like(drawn)
        found, want = (nothing if each is None else each for each in (mine, other))
        within(found, want, sums(operations, want.abs().max().clamp(min=1.0), draw.dtype))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize(("form", "weights"), TAKEN)
def test_output_and_every_gradient_are_the_references(form, weights, layout, seed):
    length = 33 if layout[0] > 1 else 7
    compare(Draws(layout, length, grad=True, seed=seed), form, weights)


@pytest.mark.parametrize("form", ["pairwise", "interacting", "pair-gate", "experts", "relative"])
@pytest.mark.parametrize("length", [1, 15, 16, 17, 131])
def test_pair_values_at_odd_lengths(form, length, seed):
    compare(Draws((3, 2, 1), length, grad=True, seed=seed), form, "causal")


def test_values_may_be_wider_or_narrower_than_queries():
    draw = Draws((1, 2, 2), 20)
    for width in (3, 17):
        query, key, values = draw.query(), draw.key(), Static(draw.key(width))
        weights = Rule(scale=0.4, sink=draw(2))
        torch.testing.assert_close(
            attend(query, key, values, weights), reference.attend(query, key, values, weights)
        )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("form", FORMS)
def test_half_inputs_accumulate_in_single(form, dtype, seed):
    inputs = attention(Draws((1, 2, 1), 40, dtype=dtype, seed=seed), form, "window")
    exact = widened(inputs)
    found = attend(*inputs)
    assert found.dtype == dtype
    within(found, reference.attend(*exact), limits(*exact, dtype=dtype)["output"])


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
    with pytest.raises(TypeError, match="Odd; there are kernels for Pairwise, Interacting"):
        attend(draw.query(), draw.key(), Odd(), Rule(scale=1.0))


def test_pairwise_gradients_against_differences():
    draw = Draws((1, 1, 1), 5, grad=True)
    query, key, a, b = draw.query(2), draw.key(2), draw.query(3), draw.key(3)

    def run(query, key, a, b):
        return attend(query, key, Pairwise(a, b), Rule(scale=0.7))

    assert torch.autograd.gradcheck(run, (query, key, a, b))


def test_padding_has_no_branch():
    draw = Draws((1, 1, 1), 4)
    segments = torch.tensor([[1, 1, 0, 0]])
    values = Separable(draw.query(3), draw.key(3))
    found = attend(draw.query(), draw.key(), values, Rule(scale=1.0, segments=segments))
    assert found[0, 0, 2:].abs().sum() == 0


@pytest.mark.parametrize("weights", ["softcap", "distances", "blocks-keys"])
def test_autocast_has_no_say_in_gradients(weights):
    found = []
    for on in (False, True):
        draw = Draws((1, 2, 1), dtype=torch.float32, grad=True)
        out = attend(*attention(draw, "static", weights))
        with torch.autocast("cpu", torch.bfloat16, enabled=on):
            out.backward(torch.linspace(-1, 1, out.numel()).view_as(out))
        found.append([each.grad for each in draw.drawn])
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))
