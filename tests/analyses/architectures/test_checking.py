"""A sample of the page of models: every family, compared with its own eager attention."""

import numpy as np
import pytest
import torch
from dva_lens.analyses.architectures import checking, children, comparison, truth
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
    "Llama4ForCausalLM": (EXACTLY, "text"),
    "JambaForCausalLM": (EXACTLY, "text"),
    "AfmoeForCausalLM": (PARTLY, "text"),
    "DistilBertForMaskedLM": (EXACTLY, "text"),
    "LlamaForSequenceClassification": (EXACTLY, "text"),
    "ViTForImageClassification": (EXACTLY, "images"),
    "Qwen3VLForConditionalGeneration": (EXACTLY, "images and text"),
    "PaliGemmaForConditionalGeneration": (EXACTLY, "images and text"),
    "T5ForConditionalGeneration": (EXACTLY, "text"),
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


def test_a_planted_error_in_one_part_is_a_fault_and_another_part_may_be_refused(monkeypatch):
    plain = truth.layer_across
    monkeypatch.setattr(
        truth, "layer_across", lambda pattern, *rest, **more: plain(pattern * 0.999, *rest, **more)
    )
    monkeypatch.setattr(checking, "parts_of", lambda model: ("encoder", "cross"))
    found = children.result_of("LongT5ForConditionalGeneration")
    assert "without calling the recorder for its part 'encoder'" in found["refused"]["encoder"]
    what, reason = verdict(found)
    assert what == FAULT
    assert " of cross is off by" in reason


def test_a_part_that_is_refused_without_a_reason_is_a_fault():
    found = {"stage": "measured", "worst": 0.0, "missing": {}, "unverified": []}
    known = found | {"refused": {"encoder": "TypeError: they attend in code of their own"}}
    assert verdict(known) == (
        PARTLY,
        "encoder: attends in code of its own, without transformers' AttentionInterface",
    )
    assert verdict(found | {"refused": {"cross": "KeyError: 'x'"}}) == (
        FAULT,
        "cross: KeyError: 'x'",
    )


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
    raw = built | {"message": "Class validation error for validator"}
    assert verdict(raw) == (NOT_BUILT, "no small sizes are known that its configuration takes")


def test_a_tie_with_a_threshold_is_no_error():
    tied = comparison.tied(np.array([[0.3, 0.5]]))
    assert tied.any()
    assert not comparison.tied(np.array([[0.3123]])).any()
