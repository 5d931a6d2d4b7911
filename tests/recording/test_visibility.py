"""A mask has a closed form where the form sees every pair that the mask sees, and no other."""

import dataclasses

import pytest
import torch

from dva_lens.kernels.visibility import Visibility
from dva_lens.recording import visibility
from dva_lens.recording.layout import Layout
from dva_lens.recording.visibility import compare_rows, separates, visibility_of


def form(mask, *lengths):
    """Return causality and window where they are all there is to a mask."""
    found = visibility_of(mask, torch.tensor(lengths))
    return (found.causal, found.window) if found.mask is None else None


@pytest.fixture(autouse=True)
def few_rows_at_once(monkeypatch):
    monkeypatch.setattr(visibility, "PAIRS_AT_ONCE", 100)


@pytest.mark.parametrize("lengths", [(1,), (2, 1), (37,), (7, 37), (37, 37)], ids=str)
@pytest.mark.parametrize("window", [None, 1, 5, 36, 37, 90])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("by_sequence", [True, False])
def test_closed_forms_are_recognised(causal, window, by_sequence, lengths):
    def mask(b, q, k):
        seen = (q - k).abs() < (window or 1000)
        seen = seen & (k <= q) if causal else seen
        return seen & (b >= 0) if by_sequence else seen

    longest = max(lengths)
    back = window if window is not None and window < longest else None
    assert form(mask, *lengths) == (causal or longest == 1 or window == 1, back)


@pytest.mark.parametrize(
    "mask",
    [
        lambda b, q, k: (k <= q) & (q // 8 == k // 8),
        lambda b, q, k: (k <= q) | (k < 4),
        lambda b, q, k: (k <= q) & ~((q == 30) & (k == 3)),
        lambda b, q, k: (k <= q) & ~((b == 1) & (q == 20) & (k == 3)),
        lambda b, q, k: (k <= q) & (k > 0),
        lambda b, q, k: (q - k < 5) & (k - q < 3),
        lambda b, q, k: (q + k + b) < 0,
    ],
    ids=["chunks", "prefix", "one pair", "one pair of one text", "one key", "lopsided", "nothing"],
)
def test_no_form_is_claimed_that_differs_in_a_single_pair(mask):
    assert form(mask, 37, 37) is None
    assert form(mask, 37, 31) is None


def test_what_has_no_closed_form_is_bounded_by_one():
    found = visibility_of(lambda b, q, k: (k <= q) & (q // 8 == k // 8), torch.tensor([37]))
    assert (found.causal, found.window) == (True, 8)
    prefix = visibility_of(lambda b, q, k: (k <= q) | (k < 4), torch.tensor([37]))
    assert (prefix.causal, prefix.window) == (False, None)


def test_what_padding_sees_does_not_matter():
    def mask(b, q, k):
        return (k <= q) | ((b == 1) & (q > 11))

    assert form(mask, 37, 13) == (True, None)
    assert form(mask, 37, 14) is None


def test_texts_are_apart_only_where_no_pair_joins_them():
    layout = Layout((1, 20), torch.tensor([0, 0]), torch.tensor([0, 8]), torch.tensor([8, 12]))

    def gap(b, q, k):
        return (k <= q) & ((q < 8) == (k < 8)) & (b >= 0)

    assert separates(gap, layout)
    assert not separates(lambda b, q, k: gap(b, q, k) | ((q == 19) & (k == 7)), layout)
    assert not separates(lambda b, q, k: k <= q, layout)


@pytest.mark.parametrize("length", [37, 200])
def test_what_is_read_off_a_mask_is_held_against_it_row_by_row(length):
    def chunks(sequence, query, key):
        return (key <= query) & (key // 8 == query // 8) & (sequence >= 0)

    layout = Layout.plain(torch.tensor([length, 30]), length)
    place = torch.arange(length)

    def seen(row, queries, keys):
        return chunks(torch.tensor(row), queries[:, None], keys) & (place < layout.lengths[row])

    right = Visibility(causal=True, mask=chunks)
    assert compare_rows(seen, right, layout) == min(length, 64) + 30
    for wrong in (Visibility(causal=True), Visibility(causal=True, window=8)):
        with pytest.raises(RuntimeError, match="The mask of the model hides key"):
            compare_rows(seen, wrong, layout)
    with pytest.raises(RuntimeError, match="The mask of the model shows key"):
        compare_rows(seen, dataclasses.replace(right, window=7), layout)
