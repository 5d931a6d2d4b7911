"""How much values differ between queries: the definition, and forms that have a known answer."""

import pytest
import torch
from attentions import FORMS, LAYOUTS, Draws, attention

from dva_lens.kernels.blocked.moments import dynamics, mean_values, moments
from dva_lens.kernels.reference import attention as reference
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Pairwise, QueryGated, Separable, Static, Values


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("weights", ["causal", "left-padded", "sink", "sigmoid"])
@pytest.mark.parametrize("form", FORMS)
def test_the_definition(form, weights, layout):
    query, key, values, chosen = attention(Draws(layout, 41), form, weights)
    pattern, every = reference.pattern(query, key, chosen), torch.arange(41)
    pairs = values.pairs(every, every, query.shape[1])
    received = pattern.sum(dim=-2)
    mean = torch.einsum("bhqk,bhqkd->bhkd", pattern, pairs) / received[..., None].clamp(min=1e-300)
    power, mean_power = dynamics(query, key, values, chosen)
    want = (received * mean.square().sum(-1)).sum(-1)
    torch.testing.assert_close(power, (pattern * pairs.square().sum(-1)).sum((-2, -1)))
    torch.testing.assert_close(mean_power, want)
    weighed = received[..., None] > 0
    torch.testing.assert_close(mean_values(query, key, values, chosen) * weighed, mean * weighed)


def test_static_values_do_not_differ():
    draw = Draws((2, 4, 2), 300, dtype=torch.float32)
    power, mean = dynamics(draw.query(), draw.key(), Static(draw.key()), Rule(scale=0.5))
    torch.testing.assert_close(power, mean, rtol=1e-6, atol=0)


def test_a_branch_without_a_query_part_is_static():
    draw = Draws((1, 2, 1), 50)
    nothing = torch.zeros(1, 2, 50, 4, dtype=torch.float64)
    values = Separable(nothing, draw.key(4))
    power, mean = dynamics(draw.query(), draw.key(), values, Rule(scale=0.5))
    torch.testing.assert_close(power, mean)


def test_gates_of_opposite_sign_leave_no_mean():
    draw = Draws((1, 1, 1), 2)
    nothing = torch.zeros(1, 1, 2, 1, dtype=torch.float64)
    gate = torch.tensor([[[[1.0], [-1.0]]]], dtype=torch.float64)
    values = QueryGated(gate, draw.key(1))
    power, mean = dynamics(nothing, nothing, values, Rule(scale=1.0, causal=False))
    assert mean.abs().max() < 1e-30
    torch.testing.assert_close(power, values.value.square().sum((-2, -1)))


def test_a_key_that_nobody_weighs_has_no_mean():
    draw = Draws((1, 1, 1), 4)
    segments = torch.tensor([[1, 1, 1, 0]])
    values = Pairwise(draw.query(3), draw.key(3))
    found = moments(draw.query(), draw.key(), values, Rule(scale=1.0, segments=segments))
    assert found.mean[..., 3, :].abs().sum() == 0
    assert found.received[..., 3] == 0


def test_forms_without_moments_are_refused():
    class Odd(Static.__mro__[1]):
        static = torch.zeros(2, 2, 33, 1)

        def finish(self, mixed, row_mass):
            return mixed

        def pairs(self, queries, keys, heads):
            raise NotImplementedError

    draw = Draws()
    assert issubclass(Odd, Values)
    with pytest.raises(TypeError, match="No moments are known for values of type Odd"):
        dynamics(draw.query(), draw.key(), Odd(), Rule(scale=1.0))
