"""Rows of an attention are held against the model's own, by a limit that only rounding reaches."""

import dataclasses

import numpy as np
import pytest
import torch

from dva_lens.kernels.backends import BACKENDS
from dva_lens.kernels.reference import attention as reference
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static
from dva_lens.recording.attention_rows import (
    FIRST_ROWS,
    LAST_ROWS,
    Compared,
    RowSample,
    first_and_last,
)

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
LENGTH, WIDTH = 40, 16
RULE = Rule(scale=WIDTH**-0.5)


def attention(dtype, seed, sharp):
    """Return a sample of all rows, their output by a backend of ours, and the truth."""
    generator = torch.Generator().manual_seed(seed)
    query, key, value = torch.randn(3, 1, 2, LENGTH, WIDTH, generator=generator).to(dtype)
    query = query * sharp
    seen = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()
    sizes = value[0].float().norm(dim=-1)[:, None]
    sample = RowSample(query[0], key[0], sizes, seen, RULE.scale)
    truth = reference.attend(query.double(), key.double(), Static(value.double()), RULE)
    return sample, (query, key, Static(value)), truth[0]


def compared(sample, ours, truth, backend="blocked"):
    return sample.compare(
        ours, truth, backend=backend, positions=torch.arange(LENGTH), place="Layer 0"
    )


@pytest.mark.parametrize("backend", ["blocked", "exact", "reference"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_no_row_is_refused_for_rounding(dtype, backend):
    """Of two hundred rows at each sharpness, none takes even half of what it may."""
    for seed, sharp in enumerate([0.0, 1.0, 5.0, 30.0, 200.0]):
        sample, given, truth = attention(dtype, seed, sharp)
        ours = BACKENDS[backend](*given, RULE)[0][0]
        gap = (ours.double() - truth).norm(dim=-1)
        limit = sample.limit(truth, backend=backend)
        room = 0.5 if dtype == torch.float32 or backend == "exact" else 1.0
        assert bool((gap <= room * limit).all())
        assert compared(sample, ours, truth, backend).rows == LENGTH


def without(query, key):
    """Return a mask function that hides one key from one query."""
    return lambda sequence, q, k: (k != key) | (q != query) | (sequence < 0)


PLANTED = {
    "one key is left out": {"mask": without(20, 3)},
    "a query does not see itself": {"mask": without(9, 9)},
    "a window hides the farthest keys": {"window": LENGTH - 8},
    "a softcap is missing": {"softcap": 5.0},
    "a sink is missing": {"sink": torch.zeros(2)},
    "the scale is another": {"scale": 1.1 * RULE.scale},
}


@pytest.mark.parametrize("change", PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", ["blocked", "exact"])
def test_another_attention_is_refused_in_every_precision(change, dtype, backend):
    sample, given, truth = attention(dtype, 0, 1.0)
    ours = BACKENDS[backend](*given, dataclasses.replace(RULE, **change))[0][0]
    with pytest.raises(RuntimeError, match=r"Layer 0 attends otherwise .* head \d at position"):
        compared(sample, ours, truth, backend)


def test_the_first_row_outside_is_named_and_the_others_counted():
    sample, given, truth = attention(torch.bfloat16, 0, 1.0)
    ours = BACKENDS["blocked"](*given, RULE)[0][0]
    ours[1, 17] *= 1.02
    ours[1, 30] = torch.nan
    named = r"head 1 at position 17 is off by .* \(2 of 40 positions compared\)"
    with pytest.raises(RuntimeError, match=named):
        compared(sample, ours, truth)


def test_what_was_compared_adds_up():
    assert Compared(0.1, 3).merge(Compared(0.2, 4)) == Compared(0.2, 7)


def test_the_first_and_the_last_real_positions_are_compared():
    real = torch.ones(200, dtype=torch.bool)
    real[:20] = False
    first, last = (each.tolist() for each in first_and_last(real))
    assert first == list(range(20, 20 + FIRST_ROWS))
    assert last == list(range(200 - LAST_ROWS, 200))
    (few,) = first_and_last(real[:30])
    np.testing.assert_array_equal(few, np.arange(20, 30))
