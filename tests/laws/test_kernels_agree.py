"""Every backend gives what the reference gives, on every mask kind, length and head layout."""

from dataclasses import fields

import pytest
import torch
from attentions import FORMS, LAYOUTS, LENGTHS, RULES, TAKEN, Draws, attention
from rounding import agree, widened

from dva_lens.kernels.attention import attend
from dva_lens.kernels.backends import BACKENDS

ON_CPU = tuple(name for name in BACKENDS if name not in ("reference", "fused"))


def numbers(found):
    output, summary = found
    named = {each.name: getattr(summary, each.name) for each in fields(summary)}
    return {"output": output, **named}


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("weights", RULES)
@pytest.mark.parametrize("backend", ON_CPU)
def test_every_mask_length_and_layout(backend, weights, length):
    for layout in LAYOUTS.values():
        inputs = attention(Draws(layout, length), "static", weights)
        found, want = numbers(BACKENDS[backend](*inputs)), numbers(BACKENDS["reference"](*inputs))
        agree(found, want, inputs)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weights", ["causal", "left-padded", "sink-and-number", "sigmoid"])
@pytest.mark.parametrize("backend", ON_CPU)
def test_every_value_form(backend, weights, form):
    inputs = attention(Draws((2, 4, 2), 49), form, weights)
    agree(numbers(BACKENDS[backend](*inputs)), numbers(BACKENDS["reference"](*inputs)), inputs)


@pytest.mark.parametrize("weights", RULES)
@pytest.mark.parametrize("backend", ON_CPU)
def test_single_precision_loses_what_rounding_takes(backend, weights, seed):
    inputs = attention(Draws((2, 4, 2), 130, dtype=torch.float32, seed=seed), "static", weights)
    found = numbers(BACKENDS[backend](*inputs))
    assert {each.dtype for each in found.values()} == {torch.float32, torch.int64}
    agree(found, numbers(BACKENDS["reference"](*widened(inputs))), inputs)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("backend", ON_CPU)
def test_half_inputs_lose_digits_in_the_output_alone(backend, dtype, form, seed):
    inputs = attention(Draws((1, 4, 2), 70, dtype=dtype, seed=seed), form, "causal")
    found = numbers(BACKENDS[backend](*inputs))
    assert found["output"].dtype == dtype
    assert found["entropy"].dtype == torch.float32
    agree(found, numbers(BACKENDS["reference"](*widened(inputs))), inputs)


@pytest.mark.parametrize(("form", "weights"), TAKEN)
def test_exact_changes_no_bit(form, weights):
    inputs = attention(Draws((2, 4, 2), 45, dtype=torch.float32), form, weights)
    assert torch.equal(BACKENDS["exact"](*inputs)[0], attend(*inputs))
