"""Choosing a backend, and what each of them refuses or defines."""

from dataclasses import fields

import pytest
import torch
from attentions import FORMS, Draws, attention

from dva_lens.kernels.backends import BACKENDS, choose, with_moments
from dva_lens.kernels.blocked.moments import moments
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Pairwise, Static

EVERY = [name for name in BACKENDS if name != "fused"]


def drawn(layout=(1, 2, 1), length=6, dtype=torch.float64):
    draw = Draws(layout, length, dtype=dtype)
    return draw.query(), draw.key(), Static(draw.key())


def test_auto_is_blocked_on_a_cpu():
    assert choose("auto", "cpu") == "blocked"
    assert choose("exact", torch.device("cpu")) == "exact"


def test_an_unknown_backend_names_those_there_are():
    with pytest.raises(KeyError, match=r"Unknown backend 'flash'.*reference, exact, blocked"):
        choose("flash", "cpu")


@pytest.mark.parametrize("backend", EVERY)
@pytest.mark.parametrize("name", ["query", "key", "values.value"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_named(backend, name, bad):
    query, key, values = drawn()
    {"query": query, "key": key, "values.value": values.value}[name][0, 0, 2, 1] = bad
    with pytest.raises(ValueError, match=f"{name} holds NaN or infinite"):
        BACKENDS[backend](query, key, values, Rule(scale=1.0))


@pytest.mark.parametrize("backend", ["exact", "blocked"])
def test_scores_that_overflow_are_told_apart(backend):
    query, key, values = drawn(dtype=torch.float32)
    with pytest.raises(ValueError, match="overflow float32"):
        BACKENDS[backend](query * 1e25, key * 1e25, values, Rule(scale=1.0))


@pytest.mark.parametrize("backend", EVERY)
def test_heads_that_do_not_divide_are_refused(backend):
    query, key, values = drawn((1, 2, 1))
    with pytest.raises(ValueError, match="must be a multiple of key heads, got 1 and 2"):
        BACKENDS[backend](query[:, :1], key.repeat(1, 2, 1, 1), values, Rule(scale=1.0))


@pytest.mark.parametrize("backend", EVERY)
@pytest.mark.parametrize("sink", [None, torch.tensor([0.5, -1.0], dtype=torch.float64)])
def test_a_query_that_sees_nothing_reads_zero(backend, sink):
    query, key, values = drawn()
    segments = torch.tensor([[0, 0, 1, 1, 1, 0]])
    weights = Rule(scale=1.0, sink=sink, segments=segments)
    output, found = BACKENDS[backend](query, key, values, weights)
    blind = [0, 1, 5]
    assert output[:, :, blind].abs().sum() == 0
    for each in (found.entropy, found.row_mass, found.largest, found.value_norm, found.self_mass):
        assert each[..., blind].abs().sum() == 0
    want = torch.full((2,), -torch.inf, dtype=torch.float64) if sink is None else sink
    torch.testing.assert_close(found.log_sum_exp[0][:, blind], want[:, None].expand(2, 3))
    assert found.visible[0].tolist() == [0, 0, 1, 2, 3, 0]
    assert found.viewers[0].tolist() == [0, 0, 3, 2, 1, 0]
    assert found.received[..., blind].abs().sum() == 0


@pytest.mark.parametrize("backend", EVERY)
def test_a_bias_may_hide_keys_altogether(backend):
    query, key, values = drawn()
    bias = torch.zeros(1, 1, 6, 6, dtype=torch.float64)
    bias[..., 4, :] = -torch.inf
    bias[..., 5, :3] = -torch.inf
    output, found = BACKENDS[backend](query, key, values, Rule(scale=1.0, bias=bias))
    assert output[:, :, 4].abs().sum() == 0
    assert found.largest[..., 4].abs().sum() == 0
    assert (found.first_mass[..., 5] == 0).all()
    torch.testing.assert_close(found.row_mass[..., 5], torch.ones(1, 2, dtype=torch.float64))


@pytest.mark.parametrize("values", [Static, Pairwise])
def test_the_reference_refuses_what_would_not_fit(values):
    big = torch.zeros(1, 1, 1, 1).expand(1, 8, 4096, 64)
    operands = [big] * (1 if values is Static else 2)
    with pytest.raises(
        MemoryError, match=r"reference backend.* GiB.*choose the backend 'blocked'"
    ):
        BACKENDS["reference"](big, big, values(*operands), Rule(scale=1.0))


def test_recording_leaves_no_gradient():
    draw = Draws((1, 1, 1), 6, grad=True)
    for backend in EVERY:
        output, found = BACKENDS[backend](
            draw.query(), draw.key(), Static(draw.key()), Rule(scale=1.0)
        )
        assert not output.requires_grad
        assert not found.entropy.requires_grad


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backend", EVERY)
def test_moments_come_along_without_changing_anything(backend, form):
    inputs = attention(Draws((2, 4, 2), 45, dtype=torch.float32), form, "packed")
    output, found, gathered = with_moments(backend, *inputs)
    want_output, want = BACKENDS[backend](*inputs)
    assert torch.equal(output, want_output)
    for each in fields(found):
        same = torch.allclose(getattr(found, each.name), getattr(want, each.name), 0, 0, True)
        assert same, each.name
    alone = moments(*inputs)
    for each in fields(alone):
        assert torch.equal(getattr(gathered, each.name), getattr(alone, each.name)), each.name
