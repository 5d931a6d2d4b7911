"""Every backend gives what the reference gives, on every mask kind, length and head layout."""

from dataclasses import fields

import pytest
import torch
from attentions import FORMS, LAYOUTS, LENGTHS, RULES, Draws, attention

from dva_lens.kernels import block_scores, reference
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
        for name, ours in found.items():
            torch.testing.assert_close(
                ours,
                want[name],
                rtol=1e-12,
                atol=1e-10,
                equal_nan=True,
                msg=lambda text, name=name, layout=layout: f"{name} of {layout}: {text}",
            )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weights", ["causal", "left-padded", "sink-and-number", "sigmoid"])
@pytest.mark.parametrize("backend", ON_CPU)
def test_every_value_form(backend, weights, form):
    inputs = attention(Draws((2, 4, 2), 49), form, weights)
    found, want = numbers(BACKENDS[backend](*inputs)), numbers(BACKENDS["reference"](*inputs))
    for name, ours in found.items():
        torch.testing.assert_close(ours, want[name], rtol=1e-12, atol=1e-10, equal_nan=True)


def error(found, want):
    gap = (found.double() - want.double()).abs()
    gap[(found == want) | (found.isnan() & want.isnan())] = 0.0
    return float(gap.max() / want.double().abs().nan_to_num(0.0, 0.0, 0.0).max().clamp(min=1.0))


@pytest.mark.parametrize("weights", RULES)
@pytest.mark.parametrize("backend", ON_CPU)
def test_single_precision_is_as_good_as_the_references_own(backend, weights):
    wide = attention(Draws((2, 4, 2), 130), "static", weights)
    single = attention(Draws((2, 4, 2), 130, dtype=torch.float32), "static", weights)
    want = numbers(BACKENDS["reference"](*wide))
    found = numbers(BACKENDS[backend](*single))
    plain = error(reference.attend(*single), want["output"])
    step = torch.finfo(torch.float32).eps
    assert error(found["output"], want["output"]) <= 2 * plain + 8 * step
    for name, ours in found.items():
        assert ours.dtype in (torch.float32, torch.int64)
        limit = 4 * block_scores.ROWS if name == "distance" else 32
        assert error(ours, want[name]) <= limit * step, name


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("backend", ON_CPU)
def test_half_inputs_lose_only_what_their_inputs_lost(backend, dtype):
    half = attention(Draws((1, 4, 2), 70, dtype=dtype), "static", "causal")
    as_given = [each.double() if isinstance(each, torch.Tensor) else each for each in half]
    as_given[2] = type(half[2])(half[2].value.double())
    want, found = numbers(BACKENDS["reference"](*as_given)), numbers(BACKENDS[backend](*half))
    assert found["output"].dtype == dtype
    assert found["entropy"].dtype == torch.float32
    assert error(found["output"], want["output"]) <= 2 * torch.finfo(dtype).eps
    assert error(found["entropy"], want["entropy"]) <= 32 * torch.finfo(torch.float32).eps


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weights", RULES)
def test_exact_changes_no_bit(form, weights):
    inputs = attention(Draws((2, 4, 2), 45, dtype=torch.float32), form, weights)
    assert torch.equal(BACKENDS["exact"](*inputs)[0], attend(*inputs))
