"""The series of second order in place of the exponential against a second writing."""

import pytest
import torch
from attentions import Draws

from dva_lens.kernels.attention import attend
from dva_lens.kernels.backends import BACKENDS
from dva_lens.kernels.fused.guards import check_rule
from dva_lens.kernels.rule import Rule, series_slope
from dva_lens.kernels.values import Static


def test_weights_are_those_of_a_second_writing_with_every_gradient():
    draw = Draws((2, 2, 2), 21, grad=True)
    query, key, value = draw.query(), draw.key(), draw.key(8)
    found = attend(query, key, Static(value), Rule(0.9, taylor=True))
    scores = 0.9 * torch.einsum("bhid,bhjd->bhij", query, key)
    raised = (1 + scores + scores**2 / 2).tril()
    expected = (raised / raised.sum(-1, keepdim=True)) @ value
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    given = torch.randn(found.shape, generator=draw.random, dtype=torch.float64)
    ours = torch.autograd.grad((found * given).sum(), draw.drawn)
    theirs = torch.autograd.grad((expected * given).sum(), draw.drawn)
    for one, two in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-11)


@pytest.mark.parametrize("backend", ["exact", "blocked", "reference"])
def test_the_normaliser_is_the_sum_of_the_series(backend):
    draw = Draws((1, 2, 1), 30)
    query, key = draw.query(), draw.key()
    _, found = BACKENDS[backend](query, key, Static(draw.key(8)), Rule(0.9, taylor=True))
    scores = 0.9 * query @ key.mT
    raised = (1 + scores + scores**2 / 2).tril()
    weights = raised / raised.sum(-1, keepdim=True)
    torch.testing.assert_close(found.log_sum_exp, raised.sum(-1).log())
    torch.testing.assert_close(found.entropy, torch.special.entr(weights).sum(-1))
    torch.testing.assert_close(found.received, weights.sum(-2))


def test_the_slope_is_the_derivative_and_stays_within_one():
    products = torch.linspace(-30, 30, 6001, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad((1 + products + products**2 / 2).log().sum(), products)
    torch.testing.assert_close(series_slope(products.detach()), slope)
    assert slope.abs().max() <= 1 + 1e-12


def test_a_series_needs_a_softmax_without_a_softcap():
    with pytest.raises(ValueError, match="got normaliser='sigmoid', softcap=None"):
        Rule(1.0, normaliser="sigmoid", taylor=True)
    with pytest.raises(ValueError, match=r"got normaliser='softmax', softcap=2\.0"):
        Rule(1.0, softcap=2.0, taylor=True)


def test_the_fused_kernels_refuse_it_by_name():
    with pytest.raises(TypeError, match="knows no series of the exponential"):
        check_rule(Rule(1.0, taylor=True))
