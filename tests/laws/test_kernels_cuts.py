"""However an attention is cut into blocks, the parts merge to the whole."""

from dataclasses import fields

import pytest
import torch
from attentions import Draws, attention

from dva_lens.kernels.attention import attend
from dva_lens.kernels.backends import BACKENDS
from dva_lens.kernels.blocked import attention as blocked_attention
from dva_lens.kernels.blocked import mixers, pair_mixers
from dva_lens.kernels.blocked import scores as block_scores
from dva_lens.kernels.blocked.moments import moments


def summary(inputs):
    output, found = BACKENDS["blocked"](*inputs)
    return [output, *(getattr(found, each.name) for each in fields(found))]


@pytest.mark.parametrize(("rows", "entries"), [(1, 1), (5, 700), (16, 1 << 30), (64, 20000)])
@pytest.mark.parametrize(
    "weights", ["causal", "window", "packed", "sink", "bidirectional", "decay"]
)
def test_any_cut_of_queries_heads_and_sequences(weights, rows, entries, monkeypatch):
    inputs = attention(Draws((3, 4, 2), 43), "static", weights)
    whole = summary(inputs)
    monkeypatch.setattr(block_scores, "ROWS", rows)
    monkeypatch.setattr(block_scores, "FEWEST_ROWS", 1)
    for name in ("ENTRIES_AT_ONCE", "ENTRIES_OF_A_THREAD"):
        monkeypatch.setattr(block_scores, name, entries)
    for ours, want in zip(summary(inputs), whole, strict=True):
        torch.testing.assert_close(ours, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("entries", [1, 900, 1 << 30])
@pytest.mark.parametrize("form", ["pairwise", "pair-gate", "experts"])
def test_any_cut_of_keys(form, entries, monkeypatch):
    inputs = attention(Draws((3, 2, 1), 71), form, "causal")
    whole = [*summary(inputs), *vars(moments(*inputs)).values()]
    monkeypatch.setattr(pair_mixers, "ENTRIES_AT_ONCE", entries)
    monkeypatch.setattr(pair_mixers, "COLUMNS", 7)
    monkeypatch.setattr(pair_mixers.PairMixer, "rows", 5)
    again = [*summary(inputs), *vars(moments(*inputs)).values()]
    for ours, want in zip(again, whole, strict=True):
        torch.testing.assert_close(ours, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("weights", ["softcap", "decay"])
@pytest.mark.parametrize("rows", [1, 9, 71])
def test_any_cut_of_the_gradients(rows, weights, monkeypatch):
    draw = Draws((2, 2, 1), 71, grad=True)
    inputs = attention(draw, "static", weights)
    whole = torch.autograd.grad(attend(*inputs).square().sum(), draw.drawn)
    monkeypatch.setattr(mixers.StaticMixer, "rows", rows)
    monkeypatch.setattr(blocked_attention, "FEWEST_ROWS", 1)
    cut = torch.autograd.grad(attend(*inputs).square().sum(), draw.drawn)
    for ours, want in zip(cut, whole, strict=True):
        torch.testing.assert_close(ours, want, rtol=1e-12, atol=1e-12)
