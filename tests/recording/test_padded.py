"""Patterns and caches of texts padded on the left: the record of the texts alone."""

import dataclasses

import numpy as np
import pytest
import torch
from records import random_causal

from dva_lens.recording import from_cache, from_patterns

LENGTHS = np.array([9, 7])
MASK = np.arange(9) >= 9 - LENGTHS[:, None]


def tensors(pieces):
    """Return patterns, values and output projections of two texts as tensors."""
    return [
        [torch.tensor(np.nan_to_num(np.ascontiguousarray(each))) for each in part]
        for part in (pieces.pattern, pieces.values, pieces.output)
    ]


def moved(array, place):
    """Put what stands in front of a padded text behind it, along an axis."""
    found = array.clone()
    shift = int(LENGTHS[0] - LENGTHS[1])
    found[1] = torch.roll(array[1], shift, dims=place - 1)
    return found


def check(found, expected):
    assert found.lengths.tolist() == expected.lengths.tolist()
    for ours, theirs in zip(found.layers, expected.layers, strict=True):
        for site in ("summary", "values", "written", "mix", "dynamics"):
            one, other = getattr(ours, site), getattr(theirs, site)
            for each in dataclasses.fields(other):
                wanted = getattr(other, each.name)
                if isinstance(wanted, np.ndarray):
                    np.testing.assert_allclose(
                        getattr(one, each.name), wanted, atol=1e-12, err_msg=each.name
                    )


@pytest.fixture
def arrays():
    return tensors(random_causal(layers=2))


def test_patterns_padded_on_the_left_are_those_of_the_texts(arrays):
    patterns, values, output = arrays
    expected = from_patterns(patterns, values, output=output, lengths=LENGTHS)
    left = [moved(moved(each, 2), 3) for each in patterns]
    left_values = [moved(each, 2) for each in values]
    garbage = [each.clone() for each in left]
    for each in garbage:
        each[1, :, :2] = 1 / 9  # what eager attention leaves in rows of padding
    for given in (left, garbage):
        check(from_patterns(given, left_values, output=output, mask=MASK), expected)


def test_padding_on_the_right_may_be_said_by_a_mask(arrays):
    patterns, values, output = arrays
    expected = from_patterns(patterns, values, output=output, lengths=LENGTHS)
    mask = torch.tensor(np.arange(9) < LENGTHS[:, None]).long()
    check(from_patterns(patterns, values, output=output, mask=mask), expected)


def test_a_cache_padded_on_the_left_is_that_of_the_texts(arrays):
    patterns, values, _ = arrays
    stream = torch.randn(2, 9, 8, dtype=torch.float64)

    def cache(pattern, value, hidden):
        held = {}
        for layer in range(2):
            held[f"blocks.{layer}.attn.hook_pattern"] = pattern[layer]
            held[f"blocks.{layer}.attn.hook_v"] = value[layer].transpose(1, 2)
            held[f"blocks.{layer}.hook_resid_post"] = hidden
        return held

    expected = from_cache(cache(patterns, values, stream), lengths=LENGTHS)
    left = cache(
        [moved(moved(each, 2), 3) for each in patterns],
        [moved(each, 2) for each in values],
        moved(stream, 1),
    )
    found = from_cache(left, mask=MASK)
    for ours, theirs in zip(found.layers, expected.layers, strict=True):
        np.testing.assert_allclose(ours.summary.entropy, theirs.summary.entropy, atol=1e-12)
        np.testing.assert_allclose(ours.values.norm, theirs.values.norm, atol=1e-12)
        np.testing.assert_allclose(ours.stream.norm, theirs.stream.norm, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"mask": MASK, "lengths": LENGTHS}, "Pass mask or lengths, not both"),
        ({"mask": MASK[:, :8]}, r"mask must be \(sequence, position\) = \(2, 9\)"),
        ({"mask": np.zeros((2, 9))}, "Every text needs a real position; sequence 0 has none"),
        ({"mask": [[1, 0, 1, 1, 1, 1, 1, 1, 1]] * 2}, "one unbroken run"),
    ],
)
def test_a_mask_that_cannot_be_is_refused(arrays, options, reason):
    with pytest.raises(ValueError, match=reason):
        from_patterns(arrays[0], **options)


def test_weight_on_padding_advises_the_mask(arrays):
    left = [moved(moved(each, 2), 3) for each in arrays[0]]
    for each in left:
        each[1, :, :2] = 1 / 9
    with pytest.raises(ValueError, match="their mask where padding stands on the left"):
        from_patterns(left)
