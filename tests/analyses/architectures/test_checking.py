"""A sample of the page of models: every family, compared with its own eager attention."""

import numpy as np
import pytest
import torch
from dva_lens.analyses.architectures import checking, children
from dva_lens.analyses.architectures.float64 import in_float64
from dva_lens.analyses.architectures.verdicts import (
    EXACTLY,
    FAULT,
    NOT_BUILT,
    PARTLY,
    REFUSED,
    verdict,
)

from dva_lens.recording.adapters import hook_state
from dva_lens.recording.attention_rows import Compared, RowSample

SAMPLE = {
    "GPT2LMHeadModel": (EXACTLY, "text"),
    "Gemma2ForCausalLM": (EXACTLY, "text"),
    "Llama4ForCausalLM": (EXACTLY, "text"),
    "JambaForCausalLM": (EXACTLY, "text"),
    "AfmoeForCausalLM": (PARTLY, "text"),
    "DistilBertForMaskedLM": (EXACTLY, "text"),
    "LlamaForSequenceClassification": (EXACTLY, "text"),
    "ViTForImageClassification": (EXACTLY, "images"),
    "Qwen3VLForConditionalGeneration": (EXACTLY, "images and text"),
    "PaliGemmaForConditionalGeneration": (EXACTLY, "images and text"),
    "BloomForCausalLM": (REFUSED, ""),
    "MambaForCausalLM": (REFUSED, ""),
}


@pytest.mark.parametrize("name", SAMPLE)
def test_a_class_is_what_the_page_says(name):
    found = children.result_of(name)
    expected, form = SAMPLE[name]
    what, reason = verdict(found)
    assert (what, found.get("form", "")) == (expected, form), (reason, found)
    assert not reason.startswith("NotImplementedError")


def test_a_planted_error_is_a_fault(monkeypatch):
    plain = hook_state.rule_of

    def shifted(*args, bias):
        rule = plain(*args, bias=bias)
        return type(rule)(**{**vars(rule), "scale": rule.scale * (1 + 1e-6)})

    monkeypatch.setattr(hook_state, "rule_of", shifted)
    monkeypatch.setattr("dva_lens.recording.fidelity.OwnPass.compare", lambda *_, **__: {})
    monkeypatch.setattr(RowSample, "compare", lambda *_, **__: Compared(0.0, 1))
    what, reason = verdict(children.result_of("GPT2LMHeadModel"))
    assert what == FAULT
    assert "is off by" in reason


def test_nothing_stays_in_float32():
    with in_float64():
        ones = torch.ones(3)
        assert ones.float().dtype == torch.float64
        assert torch.softmax(ones, dim=0, dtype=torch.float32).dtype == torch.float64
        assert ones.to(torch.float32).dtype == torch.float64
        assert torch.zeros(2, dtype=torch.float32).dtype == torch.float64
    assert torch.ones(1).dtype == torch.float32


def test_what_has_no_reason_on_the_list_is_a_fault():
    said = {"stage": "measuring", "error": "KeyError", "message": "'x'", "place": "a.py:1"}
    assert verdict(said) == (FAULT, "KeyError: 'x'")
    built = {"stage": "building", "error": "ImportError", "message": "X requires the timm library"}
    assert verdict(built) == (NOT_BUILT, "needs the package timm")


def test_a_tie_with_a_threshold_is_no_error():
    tied = checking._tied(np.array([[0.3, 0.5]]))
    assert tied.any()
    assert not checking._tied(np.array([[0.3123]])).any()
