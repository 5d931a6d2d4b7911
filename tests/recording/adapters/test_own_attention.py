"""Whoever attaches gets what the model attends to, or a refusal, without running it twice."""

import dataclasses

import families
import numpy as np
import pytest
import torch
from families import family
from own_models import tiny
from transformers.models.llama import modeling_llama
from transformers.models.llama.modeling_llama import LlamaAttention

import dva_lens as lens
from dva_lens.recording import recorder as recording
from dva_lens.recording.adapters import hook_state, masks
from dva_lens.recording.adapters.own_attention import own_function
from dva_lens.recording.record import attach
from dva_lens.sites import SUMMARY

IDS = torch.as_tensor(np.random.default_rng(0).integers(3, families.VOCABULARY, (2, 60)))
REFUSED = "attends otherwise than the model's own attention"
DTYPES = [torch.float32, torch.bfloat16]


def attached(model, **inputs):
    """Run a model inside `attach`, and return its logits and what was said of them."""
    with torch.no_grad(), attach(model, (SUMMARY,)) as recorder:
        logits = model(**inputs).logits
        lengths = recorder.lengths
        return logits, lengths, recorder.fidelity


def left_out(rule):
    own = rule.mask or (lambda sequence, query, key: query == query)
    return {"mask": lambda s, q, k: own(s, q, k) & ((q != 20) | (k != 18))}


PLANTED = {
    "a softcap is missing": ("gemma2", lambda rule: {"softcap": None}),
    "a window is off by one": ("mistral", lambda rule: {"window": rule.window + 1}),
    "a window is short by one": ("mistral", lambda rule: {"window": rule.window - 1}),
    "a sink is missing": ("gpt-oss", lambda rule: {"sink": None}),
    "one key is left out": ("llama", left_out),
    "the future is seen": ("llama", lambda rule: {"causal": False}),
    "the scale is another": ("bert", lambda rule: {"scale": 1.1 * rule.scale}),
}


@pytest.mark.parametrize(("name", "change"), PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_attention_that_is_not_the_models_is_refused(name, change, dtype, monkeypatch):
    model, own = family(name, dtype=dtype, sharp=3.0), hook_state.rule_of
    attached(model, input_ids=IDS)
    monkeypatch.setattr(
        hook_state,
        "rule_of",
        lambda *asked, bias: dataclasses.replace(rule := own(*asked, bias=bias), **change(rule)),
    )
    with pytest.raises(RuntimeError, match=rf"Attention of .*layers?\.0.* {REFUSED}"):
        attached(model, input_ids=IDS)


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_own_model_is_held_against_its_own_attention(dtype, monkeypatch):
    model = tiny("dva", sharp=2.0).to(dtype)
    tokens = IDS[:, :16]
    with torch.no_grad(), attach(model) as recorder:
        model(tokens)
    assert recorder.fidelity["fidelity_against"] == "attend"
    assert recorder.fidelity["fidelity_attention_rows"] == 3 * 16
    blocked = recording.with_moments

    def off(*given):
        output, *rest = blocked(*given)
        output[0, -1, 5] *= 1.05
        return output, *rest

    monkeypatch.setattr(recording, "with_moments", off)
    with torch.no_grad(), attach(model), pytest.raises(RuntimeError, match=f"Layer 0 {REFUSED}"):
        model(tokens)


def packed():
    """Return three texts in one row, by positions that start again."""
    positions = torch.cat([torch.arange(each) for each in (20, 30, 10)])[None]
    return {"input_ids": IDS[:1], "position_ids": positions, "use_cache": False}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "more", "lengths"),
    [
        ("llama", {}, [20, 30, 10]),
        ("llama", {"attention_mask": torch.ones(1, 60, dtype=torch.long)}, [60]),
        ("gpt-oss", {}, [60]),
    ],
    ids=["packed", "all ones", "packs nothing"],
)
def test_packed_texts_are_recorded_as_the_model_runs_them(name, more, lengths, dtype):
    model, inputs = family(name, dtype=dtype, attention="eager"), {**packed(), **more}
    with torch.no_grad():
        own = model(**inputs).logits
    logits, found, said = attached(model, **inputs)
    assert found.tolist() == lengths
    assert said["fidelity_visible_rows"] >= 60
    if dtype == torch.float32:
        torch.testing.assert_close(logits, own, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("blind", [False, True], ids=["rows of the mask", "rows of the output"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_texts_taken_apart_that_the_model_keeps_together_are_refused(dtype, blind, monkeypatch):
    """Either of the two comparisons finds it."""
    model = family("gpt-oss", dtype=dtype, sharp=3.0)
    monkeypatch.setattr(masks, "_keeps_apart", lambda mask, layout: True)
    if blind:
        monkeypatch.setattr(masks, "compare_rows", lambda *asked: 0)
    with pytest.raises(
        RuntimeError, match=REFUSED if blind else "The mask of the model shows key"
    ):
        attached(model, **packed())


def test_padding_on_the_left_is_no_difference():
    mask = torch.ones_like(IDS)
    mask[1, :25] = 0
    _, lengths, said = attached(
        family("llama", dtype=torch.bfloat16), input_ids=IDS, attention_mask=mask
    )
    assert lengths.tolist() == [60, 35]
    assert said["fidelity_against"] == "eager"


def test_what_somebody_edits_is_compared_as_it_was():
    model = family("llama")
    with torch.no_grad(), attach(model, (SUMMARY,)) as recorder:
        recorder.edit = lambda layer, out: torch.zeros_like(out)
        model(input_ids=IDS)
    assert recorder.fidelity["fidelity_attention"] < 1e-5


def test_the_function_is_the_one_that_the_code_of_a_module_names():
    model = family("llama")
    attention = model.model.layers[0].self_attn
    assert own_function(attention) == ("eager", modeling_llama.eager_attention_forward)

    class Mine(LlamaAttention):
        """Defined elsewhere, and no forward of its own."""

    mine = Mine(model.config, 0)
    assert own_function(mine) == ("eager", modeling_llama.eager_attention_forward)
    name, function = own_function(torch.nn.Linear(2, 2))
    assert (name, function.__name__) == ("sdpa", "sdpa_attention_forward")


def test_a_measurement_says_what_was_compared():
    data = lens.measure(family("llama"), IDS.numpy(), batch=1, statistics="entropy")
    assert data.attrs["fidelity_against"] == data.attrs["fidelity_output_against"] == "eager"
    assert data.attrs["fidelity_attention"] < 1e-5
    assert data.attrs["fidelity_attention_rows"] == 2 * 2 * 56
    assert data.attrs["fidelity_visible_rows"] == 2 * 60
    assert data.attrs["fidelity_tokens"] == 48
