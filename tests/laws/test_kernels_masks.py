"""A mask function is what it says, in every backend, tile by tile and never N by N."""

from dataclasses import fields, replace

import pytest
import torch
from attentions import FORMS, Draws, attention
from rounding import agree, limits, sums, within
from shapes import Largest

from dva_lens.kernels import attention as forwards
from dva_lens.kernels.backends import BACKENDS, choose
from dva_lens.kernels.blocked.moments import moments
from dva_lens.kernels.blocked.tiles import tiles
from dva_lens.kernels.blocks import QueryBlock, blocks, counts
from dva_lens.kernels.reference import attention as reference
from dva_lens.kernels.rule import Rule

CPU = torch.device("cpu")
PIECES = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2, 2]).repeat_interleave(40)
IMAGES = torch.tensor([0, 1, 1, 1, 0, 0, 2, 2, 0, 0]).repeat_interleave(13)


def causal(batch, query, key):
    return (key <= query) & (batch >= 0)


def image_blocks(batch, query, key):
    """Text is causal; the places of one image see each other both ways."""
    one, other = IMAGES[query % len(IMAGES)], IMAGES[key % len(IMAGES)]
    return causal(batch, query, key) | ((one == other) & (one > 0) & (query // 130 == key // 130))


MASKS = {
    "causal": causal,
    "chunked": lambda b, q, k: causal(b, q, k) & (q // 8 == k // 8),
    "windowed": lambda b, q, k: causal(b, q, k) & (q - k < 5),
    "prefix": lambda b, q, k: causal(b, q, k) | (k < 3 + 4 * b),
    "packed": lambda b, q, k: causal(b, q, k) & (PIECES[q] == PIECES[k]),
    "bidirectional": lambda b, q, k: (b >= 0) & (q >= 0) & (k >= 0),
    "image-blocks": image_blocks,
    "scattered": lambda b, q, k: causal(b, q, k) & ((q + k + b) % 3 == 0),
}
LENGTHS = (1, 7, 33, 261)
ON_CPU = ("exact", "blocked")


def numbers(found):
    output, summary = found
    return {
        "output": output,
        **{each.name: getattr(summary, each.name) for each in fields(summary)},
    }


def masked(name, length, *, form="static", layout=(2, 4, 2), **settings):
    inputs = attention(Draws(layout, length, **settings), form, "causal")
    return *inputs[:3], replace(inputs[3], causal=False, mask=MASKS[name])


def whole(mask, length, batch):
    """Ask about every pair at once."""
    place = torch.arange(length)
    found = mask(torch.arange(batch)[:, None, None], place[:, None], place)
    return found.expand(batch, length, length)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("mask", MASKS)
def test_the_reference_hides_what_the_mask_hides(mask, length):
    query, key, values, rule = masked(mask, length)
    seen = whole(MASKS[mask], length, 2)[:, None]
    scores = rule.scale * query @ key.repeat_interleave(2, dim=1).mT
    want = torch.softmax(scores.masked_fill(~seen, -torch.inf), dim=-1).nan_to_num(0.0)
    torch.testing.assert_close(reference.pattern(query, key, rule), want, rtol=0, atol=1e-13)
    found = BACKENDS["reference"](query, key, values, rule)[1]
    assert torch.equal(found.visible, seen[:, 0].sum(-1))
    assert torch.equal(found.viewers, seen[:, 0].sum(-2))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("backend", ON_CPU)
def test_every_backend_gives_the_references_numbers(backend, mask, length):
    inputs = masked(mask, length)
    agree(numbers(BACKENDS[backend](*inputs)), numbers(BACKENDS["reference"](*inputs)), inputs)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backend", ON_CPU)
def test_every_form_of_values(backend, form):
    inputs = masked("image-blocks", 45, form=form)
    agree(numbers(BACKENDS[backend](*inputs)), numbers(BACKENDS["reference"](*inputs)), inputs)


@pytest.mark.parametrize(
    ("mask", "closed"),
    [("causal", {}), ("windowed", {"window": 5}), ("bidirectional", {"causal": False})],
)
def test_a_closed_form_and_its_mask_are_one(mask, closed):
    query, key, values, rule = masked(mask, 77)
    other = Rule(rule.scale, **closed)
    found, want = (BACKENDS["blocked"](query, key, values, each) for each in (rule, other))
    limit = limits(query, key, values, other, dtype=query.dtype)
    for name, ours in numbers(found).items():
        within(ours, numbers(want)[name], 2 * limit.get(name, torch.zeros(())), name)


def test_a_mask_stands_beside_closed_forms_and_padding():
    query, key, values, rule = masked("chunked", 33)
    padding = torch.ones(2, 33, dtype=torch.long)
    padding[1, 20:] = 0
    both = replace(rule, causal=True, window=4, segments=padding)
    inputs = query, key, values, both
    agree(numbers(BACKENDS["blocked"](*inputs)), numbers(BACKENDS["reference"](*inputs)), inputs)
    assert BACKENDS["blocked"](*inputs)[1].visible.max() == 4


@pytest.mark.parametrize("form", ["static", "pairwise"])
def test_gradients_know_the_mask(form):
    draw = Draws((2, 2, 1), 33, grad=True)
    query, key, values, rule = attention(draw, form, "causal")
    rule = replace(rule, causal=False, mask=MASKS["image-blocks"])
    ours, theirs = (
        torch.autograd.grad(attend(query, key, values, rule).square().sum(), draw.drawn)
        for attend in (forwards.attend, reference.attend)
    )
    for found, want in zip(ours, theirs, strict=True):
        within(found, want, sums(33 * 14 * 4, want.abs().max(), want.dtype))


def test_moments_and_tiles_know_the_mask():
    query, key, values, rule = masked("scattered", 41, form="pairwise")
    pattern = reference.pattern(query, key, rule)
    torch.testing.assert_close(moments(query, key, values, rule).received, pattern.sum(-2))
    found = tiles(query, key, rule, resolution=(41, 41))
    assert torch.equal(found.seen > 0, whole(MASKS["scattered"], 41, 2))


@pytest.mark.parametrize("mask", MASKS)
def test_counts_are_those_of_the_mask(mask):
    seen = whole(MASKS[mask], 261, 3)
    visible, viewers = counts(Rule(1.0, causal=False, mask=MASKS[mask]), 261, batch=3, device=CPU)
    assert torch.equal(visible, seen.sum(-1))
    assert torch.equal(viewers, seen.sum(-2))


def test_keys_that_the_mask_hides_are_left_out():
    rule = Rule(1.0, causal=False, mask=lambda b, q, k: (q // 300 == k // 300) & (b >= 0))
    found = list(blocks(rule, slice(0, 1), [slice(0, 2)], (1200, 1200), rows=100, device=CPU))
    assert max(each.keys.stop - each.keys.start for each in found) <= 300
    assert found[-1].keys.start == 900
    nothing = Rule(1.0, causal=False, mask=lambda b, q, k: (b + q + k) < 0)
    (block,) = blocks(nothing, slice(0, 1), [slice(0, 2)], (50, 50), rows=100, device=CPU)
    assert isinstance(block, QueryBlock)
    assert not block.clear


@pytest.mark.parametrize("backend", ON_CPU)
def test_memory_is_linear_in_length(backend):
    length = 2200

    def mask(batch, query, key):
        return (query // 300 == key // 300) & (batch >= 0)

    inputs = attention(Draws((1, 1, 1), length, dtype=torch.float32), "static", "causal")
    with Largest() as seen:
        BACKENDS[backend](*inputs[:3], replace(inputs[3], causal=False, mask=mask))
    assert seen.entries < length**2 / 2


def test_a_mask_that_is_one_row_short_is_seen():
    """A planted error: the last query sees one key less."""
    inputs = masked("causal", 33)
    planted = replace(inputs[3], mask=lambda b, q, k: causal(b, q, k) & ~((q == 32) & (k == 5)))
    found = numbers(BACKENDS["blocked"](*inputs[:3], planted))
    with pytest.raises(AssertionError, match="times as far away"):
        agree(found, numbers(BACKENDS["reference"](*inputs)), inputs)


def test_the_fused_kernels_refuse_a_mask_by_name():
    query, key, values, rule = masked("chunked", 9, dtype=torch.float32)
    assert choose("auto", "cuda", query=query, values=values, rule=rule) == "blocked"
    with pytest.raises(TypeError, match=r"holds a mask function; choose the backend 'blocked'"):
        BACKENDS["fused"](query, key, values, rule)


def test_what_is_no_mask_is_refused():
    query, key, values, rule = masked("causal", 9)
    with pytest.raises(TypeError, match="answer in booleans"):
        BACKENDS["blocked"](query, key, values, replace(rule, mask=lambda b, q, k: q - k + b))
    with pytest.raises(ValueError, match="pass `sequences`"):
        rule.visible(torch.arange(3), torch.arange(3))
