"""Attention to the keys of another text: as many keys as that text has, and no shared places."""

import pytest
import torch
from attentions import Draws

from dva_lens.axes import MANY_KEYS
from dva_lens.kernels.attention import attend
from dva_lens.kernels.backends import BACKENDS, choose
from dva_lens.kernels.blocked.edges import top_edges
from dva_lens.kernels.blocked.tiles import tiles
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Separable, Static

EVERY = [name for name in BACKENDS if name != "fused"]
SIZES = [(5, 13), (13, 5), (1, 300), (300, 1), (70, 131)]
LENGTHS = torch.tensor([1, 4])


def drawn(queries, keys, layout=(2, 4, 2)):
    query = Draws(layout, queries, dtype=torch.float64).query()
    other = Draws(layout, keys, dtype=torch.float64)
    return query, other.key(), other.key()


def short_sources(sequence, query, key):
    return key + 0 * query < LENGTHS[sequence]


def weights_of(query, key, *, hidden=None, bias=0.0):
    scores = 0.7 * query @ key.repeat_interleave(2, dim=1).mT + bias
    if hidden is not None:
        scores = scores.masked_fill(hidden, -torch.inf)
    return torch.softmax(scores, dim=-1)


@pytest.mark.parametrize("backend", EVERY)
@pytest.mark.parametrize("size", SIZES)
def test_every_number_is_that_of_the_whole_pattern(backend, size):
    query, key, value = drawn(*size)
    output, found = BACKENDS[backend](query, key, Static(value), Rule(scale=0.7, causal=False))
    pattern = weights_of(query, key)
    values = value.repeat_interleave(2, dim=1)
    close = {"rtol": 1e-12, "atol": 1e-12}
    torch.testing.assert_close(output, pattern @ values, **close)
    torch.testing.assert_close(found.entropy, torch.special.entr(pattern).sum(-1), **close)
    torch.testing.assert_close(found.received, pattern.sum(2), **close)
    many = pattern if size[1] >= MANY_KEYS else torch.zeros_like(pattern)
    torch.testing.assert_close(found.late_received, many.sum(2), **close)
    torch.testing.assert_close(found.first_mass, pattern[..., 0], **close)
    sizes = (pattern * values.norm(dim=-1)[:, :, None]).sum(-1)
    torch.testing.assert_close(found.value_norm, sizes, **close)
    gap = torch.arange(size[0])[:, None] - torch.arange(size[1])
    torch.testing.assert_close(found.distance, (pattern * gap).sum(-1), rtol=1e-9, atol=1e-9)
    assert found.visible.tolist() == [[size[1]] * size[0]] * 2
    assert found.viewers.tolist() == [[size[0]] * size[1]] * 2


@pytest.mark.parametrize("backend", EVERY)
def test_a_mask_hides_the_padding_of_the_other_text(backend):
    query, key, value = drawn(6, 9)
    rule = Rule(scale=0.7, causal=False, mask=short_sources)
    output, found = BACKENDS[backend](query, key, Static(value), rule)
    hidden = (torch.arange(9) >= LENGTHS[:, None])[:, None, None]
    pattern = weights_of(query, key, hidden=hidden)
    torch.testing.assert_close(output, pattern @ value.repeat_interleave(2, dim=1))
    torch.testing.assert_close(found.received, pattern.sum(2))
    assert found.visible.tolist() == [[1] * 6, [4] * 6]
    assert found.viewers.tolist() == [[6] + [0] * 8, [6] * 4 + [0] * 5]


@pytest.mark.parametrize("backend", EVERY)
def test_a_bias_per_pair_is_added(backend):
    query, key, value = drawn(70, 131)
    bias = torch.randn(1, 4, 70, 131, dtype=torch.float64, generator=torch.manual_seed(0))
    rule = Rule(scale=0.7, causal=False, bias=bias)
    _, found = BACKENDS[backend](query, key, Static(value), rule)
    pattern = weights_of(query, key, bias=bias)
    torch.testing.assert_close(found.largest, pattern.amax(-1))
    torch.testing.assert_close(found.received, pattern.sum(2))


def test_gradients_reach_queries_keys_and_values():
    query, key, value = (each.requires_grad_() for each in drawn(7, 11))
    rule = Rule(scale=0.7, causal=False, mask=short_sources)
    hidden = (torch.arange(11) >= LENGTHS[:, None])[:, None, None]
    mixed = weights_of(query, key, hidden=hidden) @ value.repeat_interleave(2, dim=1)
    given = torch.randn_like(mixed)
    ours = torch.autograd.grad(attend(query, key, Static(value), rule), (query, key, value), given)
    truth = torch.autograd.grad(mixed, (query, key, value), given)
    for mine, theirs in zip(ours, truth, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_edges_and_tiles_reach_every_key():
    query, key, _ = drawn(3, 12)
    rule = Rule(scale=0.7, causal=False)
    pattern = weights_of(query, key)
    edges = top_edges(query, key, rule, count=12)
    assert len(edges) == pattern.numel()
    found = tiles(query, key, rule, resolution=(3, 12))
    torch.testing.assert_close(found.mean, pattern)


@pytest.mark.parametrize("backend", EVERY)
@pytest.mark.parametrize("rule", [Rule(scale=1.0), Rule(scale=1.0, causal=False, window=3)])
def test_a_rule_that_compares_places_is_refused(backend, rule):
    query, key, value = drawn(3, 12)
    with pytest.raises(ValueError, match="agree in positions where a rule compares them"):
        BACKENDS[backend](query, key, Static(value), rule)


def test_values_of_queries_are_refused():
    query, key, value = drawn(3, 12)
    values = Separable(torch.zeros(2, 4, 3, value.shape[-1]), value)
    with pytest.raises(TypeError, match="Separable values need as many keys as queries"):
        BACKENDS["blocked"](query, key, values, Rule(scale=1.0, causal=False))


def test_the_fused_kernels_leave_it_to_others(monkeypatch):
    monkeypatch.setattr("dva_lens.kernels.backends.installed", lambda: True)
    query, _, value = (each.float() for each in drawn(3, 12))
    rule = Rule(scale=1.0, causal=False)
    assert choose("auto", "cuda", query=query, values=Static(value), rule=rule) == "blocked"
    assert choose("auto", "cuda", query=query, values=Static(query), rule=rule) == "fused"
