"""What a model puts out as it is recorded is held against its own, and rounding is allowed."""

import dataclasses

import families
import numpy as np
import pytest
import torch
from families import LANGUAGE, family
from own_models import tiny
from torch import nn

import dva_lens as lens
from dva_lens.recording import fidelity
from dva_lens.recording.adapters import adapter_of
from dva_lens.recording.adapters.decoder import DecoderAdapter
from dva_lens.recording.fidelity import STRETCH, OwnPass
from dva_lens.recording.logits import Formed
from dva_lens.recording.record import record
from dva_lens.recording.rounding import rounding_of
from dva_lens.sites import SUMMARY

EPS = torch.finfo(torch.float32).eps
HALVES = [torch.bfloat16, torch.float16]
LENGTHS = np.array([9, 60])
IDS = np.random.default_rng(0).integers(3, 40, (2, 60))


def model(dtype=torch.float32):
    return tiny("transformer", context=64, sharp=2.0).to(dtype)


def compared(change, dtype=torch.float32):
    """Compare what a model puts out over two texts with what `change` makes of it."""
    adapter = adapter_of(model(dtype))
    batch, lengths = torch.as_tensor(IDS), torch.as_tensor(LENGTHS)
    with torch.no_grad(), adapter.attach((SUMMARY,)) as recorder:
        output = adapter.forward(batch, lengths).output.clone()
    with torch.no_grad():
        own = OwnPass.of(adapter, batch, lengths)
        change(output)
        own = dataclasses.replace(own, whole=True)  # else the stretch would be recorded again
        return own.compare(Formed(output), recorder)


@pytest.mark.parametrize("position", [0, 17, STRETCH - 1])
def test_one_position_that_ended_elsewhere_is_named(position):
    def change(output):
        output[1, position] *= 1 + 1e-3

    named = rf"something else at position {position} of text 1 \(1 of {STRETCH} positions comp"
    with pytest.raises(RuntimeError, match=named):
        compared(change)


@pytest.mark.parametrize("dtype", HALVES)
def test_in_half_precision_another_expert_for_one_position_is_no_other_model(dtype):
    def one(output):
        output[1, 7] *= -1.0

    compared(one, dtype)
    with pytest.raises(RuntimeError, match=rf"{STRETCH} of {STRETCH} positions compared"):
        compared(lambda output: output.mul_(1.5), dtype)


@pytest.mark.parametrize("dtype", [torch.float32, *HALVES])
def test_rounding_is_not_refused(dtype):
    eps = torch.finfo(dtype).eps
    found = compared(lambda output: output.mul_(1 + 8 * eps), dtype)
    assert 0 < found["fidelity_output"] < 64 * eps
    assert found["fidelity_loss"] < 64 * eps
    assert found["fidelity_tokens"] == STRETCH


def test_padding_and_what_no_text_can_be_do_not_count():
    def change(output):
        output[0, 9:] = torch.nan
        output[1, STRETCH:] = torch.nan

    compared(change)


def test_what_is_not_finite_is_something_else():
    def change(output):
        output[1, 3, 7] = torch.nan

    with pytest.raises(RuntimeError, match="position 3 of text 1"):
        compared(change)


def test_the_stretch_is_of_the_first_text_that_is_long_enough():
    adapter = adapter_of(model())
    for lengths, sequence, length in (
        ([9, 60], 1, STRETCH),
        ([9, 30], 1, 30),
        ([60, 60], 0, STRETCH),
    ):
        with torch.no_grad():
            own = OwnPass.of(adapter, torch.as_tensor(IDS), torch.tensor(lengths))
        assert (own.sequence, own.stretch.shape[1]) == (sequence, length)
        assert own.whole == (length < STRETCH)
    assert STRETCH <= 96


def test_the_coarsest_numbers_decide_what_rounding_is():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double())
    assert rounding_of(model) == EPS
    assert rounding_of(nn.Sequential(*model, nn.Linear(2, 2).half())) == 2**-10
    with torch.autocast("cpu", torch.bfloat16):
        assert rounding_of(model) == 2**-7
    torch.set_float32_matmul_precision("high")
    try:
        assert rounding_of(model) == 2**-10
        assert rounding_of(model[1]) == torch.finfo(torch.float64).eps
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("name", LANGUAGE)
def test_families_stay_far_below_what_is_allowed(name, monkeypatch):
    """With a sixty-fourth of the room, over texts of every length."""
    monkeypatch.setattr(fidelity, "ROOM", fidelity.ROOM // 64)
    lengths = np.array([60, 44, 13, 7])
    for seed, dtype in enumerate([torch.float32, torch.float64]):
        ids = np.random.default_rng(seed).integers(3, families.VOCABULARY, (4, 60))
        with families.exact():
            record(family(name, dtype=dtype), ids, lengths, sites=(SUMMARY,))


@pytest.mark.parametrize("name", LANGUAGE)
def test_families_are_measured_in_half_precision(name):
    dtype = HALVES[LANGUAGE.index(name) % 2]
    found = record(family(name, dtype=dtype, sharp=2.0), IDS, LENGTHS, sites=(SUMMARY,))
    assert found.provenance["fidelity_attention"] < 4 * torch.finfo(dtype).eps


def test_a_chunk_that_hides_keys_from_one_position_alone_is_found_out():
    """A text one token longer than what the attention can see, in code of its own."""
    model = family("llama")
    for layer in model.model.layers:
        layer.self_attn.register_forward_pre_hook(_chunks_of_eight, with_kwargs=True)
    record(model, IDS[:1, :8], sites=(SUMMARY,))
    with pytest.raises(RuntimeError, match=r"position 8 of text 0 \(1 of 9 positions"):
        record(model, IDS[:1, :9], sites=(SUMMARY,))


def _chunks_of_eight(module, args, kwargs):
    """Change the mask of a tensor, and leave one that is not a tensor as it is."""
    mask = kwargs["attention_mask"]
    if mask is None or isinstance(mask, torch.Tensor):
        place = torch.arange(kwargs["hidden_states"].shape[1])
        seen = (place <= place[:, None]) & (place // 8 == place[:, None] // 8)
        hidden = torch.finfo(kwargs["hidden_states"].dtype).min
        kwargs["attention_mask"] = torch.where(seen, 0.0, hidden)[None, None]
    return args, kwargs


def test_positions_that_the_length_of_a_text_scales_are_no_difference():
    """The stretch is then recorded by itself, as any model whose layers look ahead."""
    model = family("llama")
    own = model.forward

    def forward(input_ids, **call):
        place = torch.arange(input_ids.shape[1])[None] * (2 if input_ids.shape[1] > STRETCH else 1)
        return own(input_ids, position_ids=place, **call)

    model.forward = forward
    found = record(model, IDS[:1], sites=(SUMMARY,))
    assert found.provenance["fidelity_output"] < 1e-3


def test_a_model_that_draws_random_numbers_is_refused_with_that_reason():
    drawing = family("llama")
    drawing.model.embed_tokens.register_forward_hook(lambda *call: torch.rand_like(call[2]))
    with pytest.raises(RuntimeError, match="puts out something else each time it runs"):
        record(drawing, IDS[:, :9], sites=(SUMMARY,))


@pytest.mark.parametrize("call", [lens.measure, record])
def test_the_comparison_cannot_be_switched_off(call, monkeypatch):
    measured = model()
    with pytest.warns(UserWarning, match="fidelity=False changes nothing") as said:
        found = call(measured, IDS, fidelity=False)
    assert len(said) == 1
    facts = found.attrs if call is lens.measure else found.provenance
    assert facts["fidelity_output"] < 1e-4
    assert facts["fidelity_attention"] < 1e-5
    own = DecoderAdapter.forward
    once = iter([2.0])
    monkeypatch.setattr(
        DecoderAdapter,
        "forward",
        lambda self, *asked: Formed(next(once, 1.0) * own(self, *asked).output),
    )
    with pytest.raises(RuntimeError, match="something else"), pytest.warns(match="nothing"):
        call(measured, IDS, fidelity=False)
