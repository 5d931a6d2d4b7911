"""The limits of rounding: they hold for every backend, and errors worth catching exceed them."""

from dataclasses import replace

import pytest
import torch
from attentions import FORMS, RULES, Draws, attention
from rounding import beyond, gradient_limits, limits, widened

from dva_lens.kernels.backends import BACKENDS
from dva_lens.kernels.reference import attention as reference
from dva_lens.kernels.values import Pairwise, Static

SINGLE = torch.float32
TOTALS = {"row_mass", "absolute_mass"}
"""What is 1 of every softmax, however wrong its weights are."""
DEPENDENT = ("query", "key", "query_part", "key_part")


def coarser(tensor, bits):
    """Keep so many bits of every number."""
    whole, exponent = torch.frexp(tensor)
    return torch.ldexp(torch.round(whole * 2**bits) / 2**bits, exponent)


def tf32(tensor):
    """Keep the bits that products in TF32 keep."""
    return coarser(tensor, 11)


def numbers(inputs):
    output, found = BACKENDS["reference"](*inputs)
    return {"output": output, **vars(found)}


def gradients(query, key, values, weights, upstream):
    leaves = [query, key, values.query_part, values.key_part]
    leaves = [each.detach().requires_grad_() for each in leaves]
    out = reference.attend(*leaves[:2], Pairwise(*leaves[2:]), weights)
    return dict(zip(DEPENDENT, torch.autograd.grad(out, leaves, upstream), strict=True))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weights", ["causal", "packed", "sink", "sigmoid"])
def test_products_in_tf32_exceed_the_limit_of_every_number(weights, form):
    query, key, values, rule = attention(Draws((1, 2, 1), 37), form, weights)
    want = numbers((query, key, values, rule))
    found = numbers((tf32(query), tf32(key), values, rule))
    slack = limits(query, key, values, rule, dtype=SINGLE)
    constant = {"sigmoid": {"log_sum_exp"}, "sink": set()}.get(weights, TOTALS)
    short = {"late_received"} if weights == "packed" else set()  # no query sees enough keys
    for name in set(slack) - constant - short:
        assert beyond(found[name], want[name], slack[name]) > 1, name


@pytest.mark.parametrize("form", ["static", "separable", "pairwise"])
def test_values_in_tf32_exceed_the_limit_of_the_output(form):
    query, key, values, rule = attention(Draws((1, 2, 1), 37), form, "causal")
    coarse = type(values)(**{name: tf32(each) for name, each in vars(values).items()})
    slack = limits(query, key, values, rule, dtype=SINGLE)
    found, want = (numbers((query, key, each, rule)) for each in (coarse, values))
    for name in ("output", "output_norm", "value_norm"):
        assert beyond(found[name], want[name], slack[name]) > 1, name


def test_keys_left_out_exceed_the_limit_of_half_precision():
    query, key, values, rule = attention(Draws((1, 2, 1), 37), "static", "causal")
    slack = limits(query, key, values, rule, dtype=torch.bfloat16)
    found = numbers((query, key, values, replace(rule, window=19)))
    want = numbers((query, key, values, rule))
    for name in set(slack) - TOTALS - {"largest", "self_mass", "previous_mass"}:
        assert beyond(found[name], want[name], slack[name]) > 1, name


def test_the_tanh_form_of_gelu_exceeds_the_limit():
    query, key, values, rule = attention(Draws((1, 1, 1), 37), "pairwise", "causal")
    hidden = values.query_part[:, :, :, None] + values.key_part[:, :, None]
    other = torch.nn.functional.gelu(hidden, approximate="tanh")
    found = torch.einsum("bhqk,bhqkd->bhqd", reference.pattern(query, key, rule), other)
    want = reference.attend(query, key, values, rule)
    slack = limits(query, key, values, rule, dtype=SINGLE)
    assert beyond(found, want, slack["output"]) > 1


@pytest.mark.parametrize("weights", ["causal", "packed", "softcap", "sink", "sigmoid"])
def test_gradients_of_coarser_products_exceed_their_limits(weights):
    draw = Draws((1, 2, 1), 21)
    query, key, values, rule = attention(draw, "pairwise", weights)
    upstream = draw.query(8)
    want = gradients(query, key, values, rule, upstream)
    slack = gradient_limits(query, key, values, rule, upstream=upstream, dtype=SINGLE)
    excess = {}
    for bits in (8, 11):
        coarse = (coarser(each, bits) for each in (query, key))
        found = gradients(*coarse, values, rule, upstream)
        excess[bits] = {each: beyond(found[each], want[each], slack[each]) for each in DEPENDENT}
    assert min(excess[8].values()) > 1
    assert max(excess[11].values()) > 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weights", RULES)
def test_the_reference_in_single_precision_stays_within(weights, form, seed):
    inputs = attention(Draws((2, 4, 2), 29, dtype=SINGLE, seed=seed), form, weights)
    exact = widened(inputs)
    slack = limits(*exact, dtype=SINGLE)["output"]
    assert beyond(reference.attend(*inputs), reference.attend(*exact), slack) <= 1


def test_a_number_that_is_missing_is_beyond_any_limit():
    assert beyond(torch.tensor([torch.nan]), torch.tensor([1.0]), 1.0) == torch.inf
    assert beyond(torch.tensor([torch.nan]), torch.tensor([torch.nan]), 0.0) == 0
    assert beyond(torch.tensor([1.0]), torch.tensor([1.5]), 0.0) > 1


def test_values_nobody_knows_have_no_limit():
    class Odd(Static.__mro__[2]):
        def pairs(self, queries, keys, heads):
            raise NotImplementedError

    inputs = attention(Draws((1, 1, 1), 5), "static", "causal")
    with pytest.raises(TypeError, match="No error is known for values of type Odd"):
        limits(*inputs[:2], Odd(), inputs[3], dtype=SINGLE)
