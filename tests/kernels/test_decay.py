"""Penalties by distance: their closed form, and what they cannot be."""

from dataclasses import replace

import pytest
import torch
from attentions import Draws, attention, decay

from dva_lens.kernels.attention import attend
from dva_lens.kernels.backends import BACKENDS
from dva_lens.kernels.blocks import QueryBlock, penalties
from dva_lens.kernels.decay import Decay
from dva_lens.kernels.fused.guards import check_rule
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static


def test_a_block_holds_the_penalties_of_its_pairs():
    taken = Decay((-0.5, -0.25, 0.0))
    place = torch.arange(9)
    whole = taken.between(place, place, dtype=torch.float64)
    assert whole[1, 7, 3] == -1.0
    assert torch.equal(whole, whole.mT)
    block = QueryBlock(slice(0, 1), slice(1, 3), slice(4, 9), slice(2, 7))
    part = penalties(taken, block, dtype=torch.float64, device=torch.device("cpu"))
    assert torch.equal(part, whole[1:3, 4:9, 2:7])


@pytest.mark.parametrize("normaliser", ["softmax", "sigmoid"])
def test_weights_that_fade_are_those_of_a_second_writing_with_every_gradient(normaliser):
    draw = Draws((2, 2, 2), 21, grad=True)
    query, key, value = draw.query(), draw.key(), draw.key(8)
    rates = torch.tensor([-0.3, -0.02], dtype=torch.float64)
    found = attend(
        query,
        key,
        Static(value),
        Rule(0.4, normaliser=normaliser, decay=Decay(tuple(rates.tolist()))),
    )
    past = torch.ones(21, 21).tril().bool()
    scores = 0.4 * torch.einsum("bhid,bhjd->bhij", query, key)
    scores = scores.masked_fill(~past, -torch.inf)
    weights = scores.sigmoid() if normaliser == "sigmoid" else scores.softmax(-1)
    gap = torch.stack([torch.arange(21) - place for place in range(21)]).abs()
    expected = (weights * torch.exp(rates)[:, None, None] ** gap) @ value
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)
    given = torch.randn(found.shape, generator=draw.random, dtype=torch.float64)
    ours = torch.autograd.grad((found * given).sum(), draw.drawn)
    theirs = torch.autograd.grad((expected * given).sum(), draw.drawn)
    for one, two in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-12)


def test_a_penalty_of_scores_is_a_bias_of_pairs():
    draw = Draws((2, 4, 2), 33)
    query, key, values, rule = attention(draw, "static", "decay-of-scores")
    place = torch.arange(33)
    bias = rule.decay.between(place, place, dtype=torch.float64)[None]
    found = BACKENDS["blocked"](query, key, values, rule)
    want = BACKENDS["blocked"](query, key, values, replace(rule, decay=None, bias=bias))
    torch.testing.assert_close(found[0], want[0], rtol=0, atol=1e-13)
    for name, each in vars(want[1]).items():
        torch.testing.assert_close(getattr(found[1], name), each, rtol=0, atol=1e-12)


def test_what_fades_is_missing_from_the_row_mass_alone():
    draw = Draws((1, 1, 1), 40)
    query, key = 0 * draw.query(), draw.key()
    rule = Rule(1.0, decay=Decay((-0.5,)))
    _, found = BACKENDS["blocked"](query, key, Static(draw.key(8)), rule)
    seen = torch.arange(1, 41, dtype=torch.float64)
    kept = (1 - torch.exp(-0.5 * seen)) / (1 - torch.exp(torch.tensor(-0.5))) / seen
    torch.testing.assert_close(found.row_mass[0, 0], kept)
    torch.testing.assert_close(found.log_sum_exp[0, 0], seen.log())
    torch.testing.assert_close(found.first_mass[0, 0], torch.exp(-0.5 * (seen - 1)) / seen)


@pytest.mark.parametrize("rates", [(), (0.1,), (-0.1, -float("inf"))])
def test_what_no_decay_can_be_is_refused(rates):
    with pytest.raises(ValueError, match="a finite rate of at most 0 for every query head"):
        Decay(rates)


def test_a_decay_has_a_rate_for_every_head():
    draw = Draws((2, 4, 2), 9)
    rule = Rule(1.0, decay=Decay((-0.1, -0.2)))
    with pytest.raises(ValueError, match="one rate per query head, got 2 for 4 heads"):
        BACKENDS["blocked"](draw.query(), draw.key(), Static(draw.key(8)), rule)


@pytest.mark.parametrize("of", ["weights", "scores"])
def test_the_fused_kernels_refuse_a_decay_by_name(of):
    with pytest.raises(TypeError, match=f"knows no decay of {of} by distance"):
        check_rule(Rule(1.0, decay=decay(Draws(), of)))
