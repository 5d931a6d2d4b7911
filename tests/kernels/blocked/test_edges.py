"""The largest edges of a pattern, against the pattern in full."""

import pytest
import torch
from attentions import LAYOUTS, RULES, Draws, attention

from dva_lens.kernels.blocked.edges import top_edges
from dva_lens.kernels.reference import attention as reference
from dva_lens.kernels.rule import Rule


@pytest.mark.parametrize("weights", RULES)
def test_the_pattern_in_full(weights):
    for layout in LAYOUTS.values():
        query, key, _, rule = attention(Draws(layout, 41), "static", weights)
        pattern = reference.pattern(query, key, rule)
        found = top_edges(query, key, rule, count=3, threshold=0.1)
        largest, place = pattern.topk(3, dim=-1)
        kept = largest > 0.1
        torch.testing.assert_close(found.weight, largest[kept])
        assert torch.equal(found.key, place[kept])
        rows = kept.nonzero()
        where = torch.stack([found.sequence, found.head, found.query], dim=1)
        assert torch.equal(where, rows[:, :3])


def test_as_many_edges_as_keys_are_the_pattern():
    query, key, _, rule = attention(Draws((2, 2, 1), 9), "static", "window")
    found = top_edges(query, key, rule, count=100)
    full = torch.zeros(2, 2, 9, 9, dtype=torch.float64)
    full[found.sequence, found.head, found.query, found.key] = found.weight
    torch.testing.assert_close(full, reference.pattern(query, key, rule))


def test_nothing_exceeds_one():
    query, key, _, rule = attention(Draws((1, 1, 1), 9), "static", "causal")
    assert len(top_edges(query, key, rule, threshold=1.0)) == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"count": 0}, "count must be at least 1, got 0"), ({"threshold": -0.1}, "not be negative")],
)
def test_settings_without_meaning_are_refused(settings, message):
    query, key, _, rule = attention(Draws((1, 1, 1), 9), "static", "causal")
    with pytest.raises(ValueError, match=message):
        top_edges(query, key, rule, **settings)


def test_more_edges_than_fit_are_refused_before_they_are_made():
    big = torch.zeros(1, 1, 1, 1).expand(8, 64, 65536, 4)
    with pytest.raises(MemoryError, match=r"largest weights of 33,554,432 queries.*fewer per"):
        top_edges(big, big, Rule(scale=1.0))
