"""Every position of a recorded pass is judged, and none is refused for rounding."""

import families
import numpy as np
import pytest
import torch
from families import LANGUAGE, family
from torch import nn

from dva_lens.recording import fidelity
from dva_lens.recording.fidelity import OwnPass, rounding_of
from dva_lens.recording.logits import Formed, OnRequest
from dva_lens.recording.record import record
from dva_lens.sites import SUMMARY

LENGTHS = np.array([9, 30])
EPS = torch.finfo(torch.float32).eps


def outputs(dtype=torch.float32):
    return torch.randn(2, 30, 64, generator=torch.manual_seed(0)).to(dtype)


def judge(before, now, *, eps=EPS):
    return OwnPass.of(Formed(before), None, LENGTHS).against(
        Formed(now), None, LENGTHS, eps=eps
    )  # fmt: skip


@pytest.mark.parametrize(("text", "position"), [(0, 0), (0, 8), (1, 0), (1, 17), (1, 29)])
@pytest.mark.parametrize("entries", [1 << 23, 2 * 30 * 4])
def test_one_position_that_ended_elsewhere_is_named(entries, text, position, monkeypatch):
    monkeypatch.setattr(fidelity, "KEPT_ENTRIES", entries)
    now = outputs()
    now[text, position] *= 1 + 1e-3
    named = rf"something else at position {position} of text {text} \(1 of {LENGTHS[text]} pos"
    with pytest.raises(RuntimeError, match=named):
        judge(outputs(), now)


def test_rounding_is_not_refused():
    now = outputs()
    assert judge(outputs(), now * (1 + 16 * EPS))["fidelity_output"] < 64 * EPS * 8
    half = outputs(torch.bfloat16)
    assert judge(half, half * (1 + 2**-7), eps=2**-7)["fidelity_output"] > 0


def test_padding_and_what_no_text_can_be_do_not_count():
    before, now = outputs(), outputs()
    now[0, 9:] = torch.nan
    before[:, :, 5] = now[:, :, 5] = -torch.inf
    judge(before, now)


def test_what_is_not_finite_is_something_else():
    now = outputs()
    now[1, 3, 7] = torch.nan
    with pytest.raises(RuntimeError, match="position 3 of text 1"):
        judge(outputs(), now)


def test_logits_on_request_are_judged_by_what_they_are_made_of():
    head, hidden = nn.Linear(64, 4096), outputs()
    own = OwnPass.of(OnRequest(hidden, head), None, LENGTHS)
    assert own.states.shape == (2, 30, 64)
    now = hidden.clone()
    now[0, 2] += 0.01
    with torch.no_grad(), pytest.raises(RuntimeError, match="position 2 of text 0"):
        own.against(OnRequest(now, head), None, LENGTHS, eps=EPS)


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


def test_a_chunk_that_hides_keys_from_one_position_alone_is_found_out():
    """A text one token longer than what the attention can see, in code of its own."""
    model = family("llama")
    for layer in model.model.layers:
        layer.self_attn.register_forward_pre_hook(_chunks_of_eight, with_kwargs=True)
    ids = np.random.default_rng(0).integers(3, families.VOCABULARY, (1, 9))
    record(model, ids[:, :8], sites=(SUMMARY,))
    with pytest.raises(RuntimeError, match=r"position 8 of text 0 \(1 of 9 positions\)"):
        record(model, ids, sites=(SUMMARY,))


def _chunks_of_eight(module, args, kwargs):
    """Change the mask of a tensor, and leave one that is not a tensor as it is."""
    mask = kwargs["attention_mask"]
    if mask is None or isinstance(mask, torch.Tensor):
        place = torch.arange(kwargs["hidden_states"].shape[1])
        seen = (place <= place[:, None]) & (place // 8 == place[:, None] // 8)
        kwargs["attention_mask"] = seen[None, None]
    return args, kwargs
