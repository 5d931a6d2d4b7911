"""Similarities in place of the exponential against a second writing."""

import pytest
import torch
from attentions import Draws

from dva_lens.kernels.attention import attend
from dva_lens.kernels.backends import BACKENDS
from dva_lens.kernels.fused.guards import check_rule
from dva_lens.kernels.rule import Rule, similarity_slope
from dva_lens.kernels.values import Static

RAISED = {"taylor": lambda scores: 1 + scores + scores**2 / 2, "linear": lambda scores: scores}


@pytest.mark.parametrize("similarity", RAISED)
def test_weights_are_those_of_a_second_writing_with_every_gradient(similarity):
    draw = Draws((2, 2, 2), 21, grad=True)
    query, key, value = draw.query(), draw.key(), draw.key(8)
    found = attend(query.exp(), key.exp(), Static(value), Rule(0.9, similarity=similarity))
    raised = RAISED[similarity](0.9 * torch.exp(query) @ torch.exp(key).mT).tril()
    expected = (raised / raised.sum(-1, keepdim=True)) @ value
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    given = torch.randn(found.shape, generator=draw.random, dtype=torch.float64)
    ours = torch.autograd.grad((found * given).sum(), draw.drawn)
    theirs = torch.autograd.grad((expected * given).sum(), draw.drawn)
    for one, two in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-11)


@pytest.mark.parametrize("similarity", RAISED)
@pytest.mark.parametrize("backend", ["exact", "blocked", "reference"])
def test_the_normaliser_is_the_sum_of_the_similarities(backend, similarity):
    draw = Draws((1, 2, 1), 30)
    query, key, rule = draw.query().exp(), draw.key().exp(), Rule(0.9, similarity=similarity)
    _, found = BACKENDS[backend](query, key, Static(draw.key(8)), rule)
    raised = RAISED[similarity](0.9 * query @ key.mT).tril()
    weights = raised / raised.sum(-1, keepdim=True)
    torch.testing.assert_close(found.log_sum_exp, raised.sum(-1).log())
    torch.testing.assert_close(found.entropy, torch.special.entr(weights).sum(-1))
    torch.testing.assert_close(found.received, weights.sum(-2))


def test_the_slope_is_the_derivative_and_stays_within_one():
    products = torch.linspace(-30, 30, 6001, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad((1 + products + products**2 / 2).log().sum(), products)
    torch.testing.assert_close(similarity_slope(products.detach(), "taylor"), slope)
    assert slope.abs().max() <= 1 + 1e-12


def test_another_similarity_needs_a_softmax_without_a_softcap():
    with pytest.raises(ValueError, match="with normaliser='sigmoid', softcap=None"):
        Rule(1.0, normaliser="sigmoid", similarity="taylor")
    with pytest.raises(ValueError, match=r"with normaliser='softmax', softcap=2\.0"):
        Rule(1.0, softcap=2.0, similarity="linear")


@pytest.mark.parametrize("similarity", RAISED)
def test_the_fused_kernels_refuse_it_by_name(similarity):
    with pytest.raises(TypeError, match=f"knows no {similarity} similarity"):
        check_rule(Rule(1.0, similarity=similarity))
