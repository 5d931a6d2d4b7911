"""Handing a summary over to the records."""

from dataclasses import fields

import numpy as np
import torch
from attentions import Draws, attention

from dva_lens.kernels.backends import BACKENDS


def test_padding_holds_nan_and_minus_one():
    inputs = attention(Draws((2, 4, 2), 9), "static", "causal")
    _, found = BACKENDS["blocked"](*inputs)
    record = found.numpy(np.array([9, 4]))
    for each in fields(record):
        array = getattr(record, each.name)
        blank = (array == -1) if array.dtype.kind == "i" else np.isnan(array)
        assert blank[1, ..., 4:].all(), each.name
        assert not blank[0].any(), each.name
        assert not blank[1, ..., :4].any(), each.name
        own = getattr(found, each.name)[1, ..., :4]
        assert np.array_equal(array[1, ..., :4], own.numpy())


def test_precision_is_kept():
    inputs = attention(Draws((1, 1, 1), 5, dtype=torch.float32), "static", "causal")
    record = BACKENDS["blocked"](*inputs)[1].numpy(np.array([5]))
    assert record.entropy.dtype == np.float32
    assert record.visible.dtype.kind == "i"
