"""Relu weights against a second writing, with every gradient and every number of a summary."""

import pytest
import torch
from attentions import Draws, packed

from dva_lens.kernels.attention import attend
from dva_lens.kernels.backends import BACKENDS
from dva_lens.kernels.fused.guards import check_rule
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static


def second_writing(query, key, segments):
    scores = 0.9 * torch.einsum("bhid,bhjd->bhij", query, key)
    same = segments[:, :, None] == segments[:, None]
    seen = (same & torch.ones_like(same).tril())[:, None].double()
    return 0.5 * (scores + scores.abs()) * seen / seen.sum(-1, keepdim=True)


def test_weights_are_those_of_a_second_writing_with_every_gradient():
    draw = Draws((2, 2, 2), 21, grad=True)
    query, key, value = draw.query(), draw.key(), draw.key(8)
    rule = Rule(0.9, normaliser="relu", segments=packed(draw))
    found = attend(query, key, Static(value), rule)
    expected = second_writing(query, key, rule.segments) @ value
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    given = torch.randn(found.shape, generator=draw.random, dtype=torch.float64)
    ours = torch.autograd.grad((found * given).sum(), draw.drawn)
    theirs = torch.autograd.grad((expected * given).sum(), draw.drawn)
    for one, two in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-12)


@pytest.mark.parametrize("backend", ["exact", "blocked", "reference"])
def test_a_summary_reads_weights_as_they_stand(backend):
    draw = Draws((1, 2, 2), 30)
    query, key = draw.query(), draw.key()
    _, found = BACKENDS[backend](query, key, Static(draw.key(8)), Rule(0.9, normaliser="relu"))
    weights = second_writing(query, key, torch.ones(1, 30))
    torch.testing.assert_close(found.row_mass, weights.sum(-1))
    torch.testing.assert_close(found.entropy, -torch.xlogy(weights, weights).sum(-1))
    torch.testing.assert_close(found.received, weights.sum(-2))
    torch.testing.assert_close(found.largest, weights.amax(-1))
    assert found.log_sum_exp.isnan().all()


def test_relu_weights_have_no_sink():
    with pytest.raises(ValueError, match="relu weights do not compete"):
        Rule(1.0, normaliser="relu", sink=torch.zeros(2))


def test_the_fused_kernels_refuse_them_by_name():
    with pytest.raises(TypeError, match="knows no relu weights"):
        check_rule(Rule(1.0, normaliser="relu"))
