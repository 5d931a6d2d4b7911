"""The specification against closed forms, torch's own attention and a written-out sink."""

import math

import pytest
import torch
import torch.nn.functional as F
from attentions import RULES, Draws, attention

from dva_lens.kernels.reference import attention as reference
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static


def test_equal_scores_share_equally():
    query = torch.zeros(1, 1, 5, 2, dtype=torch.float64)
    found = reference.pattern(query, query, Rule(scale=1.0))
    want = torch.tril(torch.ones(5, 5, dtype=torch.float64))
    torch.testing.assert_close(found[0, 0], want / want.sum(-1, keepdim=True))


def test_one_key_takes_what_its_score_says():
    query = torch.tensor([[[[1.0], [1.0]]]], dtype=torch.float64)
    key = torch.tensor([[[[math.log(3.0)], [0.0]]]], dtype=torch.float64)
    found = reference.pattern(query, key, Rule(scale=1.0))
    torch.testing.assert_close(found[0, 0, 1], torch.tensor([0.75, 0.25], dtype=torch.float64))


@pytest.mark.parametrize("causal", [True, False])
def test_softmax_is_torchs(causal):
    draw = Draws()
    query, key, value = draw.query(), draw.key(), draw.key()
    found = reference.attend(query, key, Static(value), Rule(scale=0.4, causal=causal))
    want = F.scaled_dot_product_attention(
        query, key, value, is_causal=causal, scale=0.4, enable_gqa=True
    )
    torch.testing.assert_close(found, want)


def test_a_sink_is_one_more_column_that_is_dropped():
    draw = Draws()
    query, key, sink = draw.query(), draw.key(), draw(4)
    weights = Rule(scale=0.4, sink=sink, window=7)
    position = torch.arange(33)
    gap = position[:, None] - position
    logits = 0.4 * query @ key.repeat_interleave(2, dim=1).mT
    logits = logits.masked_fill((gap < 0) | (gap >= 7), float("-inf"))
    with_sink = torch.cat([logits, sink.view(1, 4, 1, 1).expand(2, 4, 33, 1)], dim=-1)
    want = torch.softmax(with_sink, dim=-1)[..., :-1]
    torch.testing.assert_close(reference.pattern(query, key, weights), want)


def test_a_sink_of_zero_is_off_by_one():
    draw = Draws((1, 1, 1), 9)
    query, key = draw.query(), draw.key()
    weights = Rule(scale=1.0, sink=torch.zeros(1, dtype=torch.float64), causal=False)
    scores = (query @ key.mT).exp()
    want = scores / (1 + scores.sum(-1, keepdim=True))
    torch.testing.assert_close(reference.pattern(query, key, weights), want)


def test_sigmoid_weights_do_not_compete():
    draw = Draws((1, 1, 1), 9)
    query, key = draw.query(), draw.key()
    weights = Rule(scale=0.5, normaliser="sigmoid", bias=-2.0, causal=False)
    want = torch.sigmoid(0.5 * query @ key.mT - 2.0)
    torch.testing.assert_close(reference.pattern(query, key, weights), want)


@pytest.mark.parametrize("weights", RULES)
def test_weights_stay_where_they_are_visible(weights):
    query, key, _, chosen = attention(Draws(), "static", weights)
    found = reference.pattern(query, key, chosen)
    every = torch.arange(33)
    assert (found[~chosen.visible(every, every).expand_as(found)] == 0).all()
    assert bool((found < 0).any()) == (chosen.after is not None)
    assert found.isfinite().all()


def test_a_row_that_sees_nothing_is_zero():
    draw = Draws((1, 1, 1), 6)
    segments = torch.tensor([[0, 0, 1, 1, 1, 0]])
    weights = Rule(scale=1.0, segments=segments)
    found = reference.pattern(draw.query(), draw.key(), weights)
    assert found[0, 0, [0, 1, 5]].abs().sum() == 0
    torch.testing.assert_close(found[0, 0, 2:5].sum(-1), torch.ones(3, dtype=torch.float64))
