"""Comparing at equal training step and at equal loss, because either alone favours somebody."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float


def common_step(steps: Sequence[np.ndarray]) -> int:
    """Return the last training step at which every run was measured.

    Raises
    ------
    ValueError
        No training step was measured in every run.
    """
    each: list[set[int]] = [{int(step) for step in run} for run in steps]
    shared = set(each[0]).intersection(*each)
    if not shared:
        raise ValueError(
            "The runs share no measured training step; measure them at the same ones."
        )
    return max(shared)


def common_loss(losses: Sequence[np.ndarray]) -> float:
    """Return the lowest loss that every run reaches."""
    return float(max(np.nanmin(run) for run in losses))


def at_loss(
    values: Float[np.ndarray, "step *cells"], loss: Float[np.ndarray, "step"], target: float
) -> Float[np.ndarray, "*cells"]:
    """Return the values when a run first reaches a loss, between measured steps by a line.

    NaN if it never does, or has passed it before the first measurement.
    """
    reached = np.flatnonzero(loss <= target)
    if not len(reached):
        return np.full(values.shape[1:], np.nan)
    after = int(reached[0])
    if after == 0:
        exact = loss[0] == target
        return np.asarray(values[0]) if exact else np.full(values.shape[1:], np.nan)
    before = after - 1
    share = (loss[before] - target) / (loss[before] - loss[after])
    return np.asarray((1 - share) * values[before] + share * values[after])
