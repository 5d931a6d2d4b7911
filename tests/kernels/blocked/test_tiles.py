"""Tiles of a pattern, against the pattern in full."""

import pytest
import torch
from attentions import LAYOUTS, RULES, Draws, attention
from shapes import Largest

from dva_lens.kernels.blocked.tiles import tiles
from dva_lens.kernels.reference import attention as reference

WHOLE = (slice(None), slice(None), (5, 7))
CORNER = (slice(3, 39), slice(11, None), (4, 64))
LATE = (slice(30, 41), slice(0, 20), (3, 2))


@pytest.mark.parametrize("chosen", [WHOLE, CORNER, LATE], ids=["whole", "corner", "late"])
@pytest.mark.parametrize("weights", RULES)
def test_the_pattern_in_full(weights, chosen):
    queries, keys, resolution = chosen
    for layout in LAYOUTS.values():
        query, key, _, rule = attention(Draws(layout, 41), "static", weights)
        found = tiles(query, key, rule, queries=queries, keys=keys, resolution=resolution)
        pattern, every = reference.pattern(query, key, rule), torch.arange(41)
        seen = rule.visible(every, every).expand(len(query), 1, 41, 41)
        assert found.mean.shape[2:] == (len(found.query_edges) - 1, len(found.key_edges) - 1)
        assert (found.query_edges[0], found.query_edges[-1]) == queries.indices(41)[:2]
        assert (found.key_edges[0], found.key_edges[-1]) == keys.indices(41)[:2]
        for r, c in torch.cartesian_prod(*(torch.arange(each) for each in found.mean.shape[2:])):
            rows = slice(*found.query_edges[r : r + 2].tolist())
            columns = slice(*found.key_edges[c : c + 2].tolist())
            for b in range(len(query)):
                part, mask = pattern[b, :, rows, columns], seen[b, 0, rows, columns]
                assert found.seen[b, r, c] == mask.sum()
                inside = part[:, mask]
                if inside.shape[1]:
                    torch.testing.assert_close(found.mean[b, :, r, c], inside.mean(dim=1))
                    torch.testing.assert_close(found.lowest[b, :, r, c], inside.amin(dim=1))
                    torch.testing.assert_close(found.highest[b, :, r, c], inside.amax(dim=1))
                else:
                    assert found.mean[b, :, r, c].isnan().all()
                    assert found.lowest[b, :, r, c].isnan().all()


def test_full_resolution_is_every_weight():
    query, key, _, rule = attention(Draws((1, 2, 1), 23), "static", "causal")
    found = tiles(query, key, rule, queries=slice(4, 9), resolution=(5, 23))
    pattern = reference.pattern(query, key, rule)[:, :, 4:9]
    past = torch.arange(23) <= torch.arange(4, 9)[:, None]
    torch.testing.assert_close(found.mean.nan_to_num(), pattern)
    assert torch.equal(found.mean.isnan(), ~past.expand(1, 2, 5, 23))
    assert torch.equal(found.highest.nan_to_num(), found.lowest.nan_to_num())


def test_no_pattern_is_formed():
    length = 3000
    draw = Draws((1, 1, 1), length, dtype=torch.float32)
    query, key, _, rule = attention(draw, "static", "causal")
    with Largest() as seen:
        tiles(query, key, rule, resolution=(8, 8))
    assert seen.entries < length**2 / 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"queries": slice(3, 3)}, "queries must be some of 9 positions .* got 3:3"),
        ({"keys": slice(0, 9, 2)}, "keys must be some .* in steps of 1, .* got 0:9:2"),
        ({"resolution": (0, 4)}, "resolution of queries must be at least 1, got 0"),
    ],
)
def test_rectangles_that_are_none_are_refused(settings, message):
    query, key, _, rule = attention(Draws((1, 1, 1), 9), "static", "causal")
    with pytest.raises(ValueError, match=message):
        tiles(query, key, rule, **settings)
