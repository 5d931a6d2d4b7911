"""Holding two floating point computations of one number against each other.

A budget is derived: how many operations, in which precision, on what sizes. It holds on every
processor and number of threads, because no order of summation leads beyond it. Sampled tests take
the fixture `seed`; `DVA_LENS_SEEDS=20` draws as many samples instead of one.
"""

import torch

from dva_lens.kernels.reference.rounding import gradient_limits, limits, pattern_limits


def within(found, want, limit, name=""):
    """Assert that no entry is further from the wanted one than its limit; say by how much."""
    excess = beyond(found, want, limit)
    assert excess <= 1.0, f"{name} is {excess:.3g} times as far away as rounding may take it"


def beyond(found, want, limit):
    """Return the largest distance in units of its limit; equal entries and two NaN are 0."""
    found, want = (torch.as_tensor(each).detach().cpu().double() for each in (found, want))
    gap = (found - want).abs()
    gap[(found == want) | (found.isnan() & want.isnan())] = 0.0
    limit = torch.as_tensor(limit).cpu().double().expand_as(gap)
    return float((gap.nan_to_num(torch.inf) / limit.clamp(min=5e-324)).max())


def sums(operations, size, dtype):
    """Return how far two orders of a sum may differ; `size` is the sum of absolute values."""
    return 2 * operations * torch.finfo(dtype).eps * size


def widened(inputs):
    """Return an attention's inputs in float64, with all the digits they have."""
    query, key, values, weights = inputs
    wide = {name: each.double() for name, each in vars(values).items()}
    return query.double(), key.double(), type(values)(**wide), weights


def agree(found, want, inputs):
    """Hold the output and the summary of a kernel, by name, to the reference's in float64.

    Where the kernel computes in float64 itself, both sides may be as far away as rounding goes.
    """
    dtype = inputs[0].dtype
    sides = 2 if dtype == torch.float64 else 1
    for name, limit in limits(*widened(inputs), dtype=dtype).items():
        within(found[name], want[name], sides * limit, name)
    for name in ("visible", "viewers"):
        assert torch.equal(found[name], want[name]), name


__all__ = [
    "agree",
    "beyond",
    "gradient_limits",
    "limits",
    "pattern_limits",
    "sums",
    "widened",
    "within",
]
