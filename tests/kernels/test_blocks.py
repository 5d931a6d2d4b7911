"""Cutting an attention: the blocks hold every visible pair, and none that is far away."""

import pytest
import torch
from attentions import RULES, Draws

from dva_lens.kernels.blocks import (
    QueryBlock,
    blocks,
    counts,
    cuts,
    hidden,
    key_range,
    of_block,
)
from dva_lens.kernels.rule import Rule

WHOLE = slice(0, 2)
CPU = torch.device("cpu")


def test_cuts_cover_a_length_once():
    assert cuts(7, 3) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert cuts(0, 3) == []


@pytest.mark.parametrize("rows", [1, 4, 33])
@pytest.mark.parametrize("weights", RULES)
def test_blocks_hold_every_visible_pair(weights, rows):
    rule = RULES[weights](Draws())
    every = torch.arange(33)
    want = rule.visible(every, every).expand(2, 1, 33, 33)
    found = torch.zeros_like(want)
    for block in blocks(rule, WHOLE, [slice(0, 1)], (33, 33), rows=rows, device=CPU):
        unseen = hidden(rule, block, CPU)
        seen = torch.ones(()) > 0 if unseen is None else ~unseen
        found[:, :, block.queries, block.keys] = seen
    assert torch.equal(found, want)


def test_keys_that_no_query_of_a_block_sees_are_left_out():
    window = Rule(scale=1.0, window=4)
    assert key_range(window, WHOLE, slice(16, 32), 64) == slice(13, 32)
    both = Rule(scale=1.0, window=4, causal=False)
    assert key_range(both, WHOLE, slice(16, 32), 64) == slice(13, 35)
    packed = Rule(scale=1.0, segments=torch.arange(64).repeat(2, 1) // 8 + 1)
    assert key_range(packed, WHOLE, slice(16, 32), 64) == slice(16, 32)
    padding = Rule(scale=1.0, segments=torch.zeros(2, 64, dtype=torch.long))
    assert key_range(padding, WHOLE, slice(16, 32), 64) == slice(0, 0)


def test_a_block_that_is_visible_throughout_needs_no_mask():
    block = QueryBlock(WHOLE, WHOLE, slice(16, 32), slice(0, 17))
    assert hidden(Rule(scale=1.0), block, CPU) is None
    assert hidden(Rule(scale=1.0, window=64), block, CPU) is None
    assert hidden(Rule(scale=1.0, window=31), block, CPU) is not None
    assert block.pairs == 2 * 2 * 16 * 17


def test_a_bias_is_cut_only_where_it_has_entries():
    block = QueryBlock(slice(1, 2), slice(0, 2), slice(3, 5), slice(0, 7))
    assert of_block(torch.zeros(2, 1, 1, 9), block).shape == (1, 1, 1, 7)
    assert of_block(torch.zeros(1, 4, 9, 9), block).shape == (1, 2, 2, 7)


@pytest.mark.parametrize("weights", RULES)
def test_counts_are_those_of_the_mask(weights):
    rule = RULES[weights](Draws())
    every = torch.arange(33)
    seen = rule.visible(every, every).expand(2, 1, 33, 33)[:, 0]
    visible, viewers = counts(rule, 33, batch=2, device=CPU)
    assert torch.equal(visible, seen.sum(-1))
    assert torch.equal(viewers, seen.sum(-2))
