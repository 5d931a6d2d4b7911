"""Summaries of patterns that somebody else has already formed."""

import numpy as np
from jaxtyping import Bool, Float, Int

from dva_lens.axes import MANY_KEYS
from dva_lens.kernels.guard import refuse_above
from dva_lens.sites import AttentionSummary, ValueDynamics

Pattern = Float[np.ndarray, "sequence head query key"]
ROUNDING = {"bfloat16": 2.0**-7, "float16": 2e-2, "float32": 1e-3, "float64": 1e-9}
WORKING_ARRAYS = 4


def visibility(
    lengths: Int[np.ndarray, "sequence"],
    positions: int,
    *,
    causal: bool = True,
    window: int | None = None,
) -> Bool[np.ndarray, "sequence query key"]:
    """Say which keys each query sees; padding sees nothing and is seen by nobody."""
    place = np.arange(positions)
    gap = place[:, None] - place
    seen = gap >= 0 if causal else np.ones_like(gap, dtype=bool)
    if window is not None:
        seen = seen & (np.abs(gap) < window)
    real = place < np.asarray(lengths)[:, None]
    return seen & real[:, :, None] & real[:, None, :]


def check_pattern(
    pattern: Pattern, seen: Bool[np.ndarray, "_ place place"], dtype: str | None = None
) -> None:
    """Refuse what cannot be weights: scores, rows above one, weight on what cannot be seen.

    Rows may differ from one by the rounding of the dtype that the weights were computed in
    (default: their own).

    Raises
    ------
    ValueError
        If it cannot be weights; the message says why.
    """
    if pattern.shape[-2:] != seen.shape[-2:] or len(pattern) != len(seen):
        raise ValueError(
            f"A pattern of shape {pattern.shape} does not fit {len(seen)} sequences of "
            f"{seen.shape[-1]} positions; it must be (sequence, head, query, key)."
        )
    rows = np.asarray(seen.any(-1))
    inside = pattern[np.broadcast_to(rows[:, None], pattern.shape[:3])]
    if not np.isfinite(inside).all() or inside.min(initial=0.0) < 0:
        raise ValueError(
            "The pattern holds negative or infinite entries, so these are scores and not "
            "weights; pass them through their normaliser first, or use `from_qk`."
        )
    tolerance = ROUNDING[dtype or pattern.dtype.name]
    if inside.sum(-1).max(initial=0.0) > 1 + tolerance:
        raise ValueError(
            f"Rows of the pattern sum to up to {inside.sum(-1).max():.4g}; weights of one query "
            f"sum to at most one. Sigmoid weights are measured with `from_qk`."
        )
    if (
        np.where(seen[:, None] | ~rows[:, None, :, None], 0.0, pattern).max(initial=0.0)
        > tolerance
    ):
        raise ValueError(
            "The pattern puts weight on keys that a query cannot see; pass causal=False for a "
            "bidirectional model, the window of a windowed one, and for padded texts their "
            "lengths, or their mask where padding stands on the left."
        )


def summary_of(
    pattern: Pattern,
    lengths: Int[np.ndarray, "sequence"],
    *,
    causal: bool = True,
    window: int | None = None,
    values: Float[np.ndarray, "sequence head key width"] | None = None,
    dtype: str | None = None,
) -> AttentionSummary:
    """Return the summary of a pattern; `values` are per query head, `dtype` is where it is from.

    There is no log-sum-exp in a pattern, and without values no norms: these are NaN. Rows that
    do not sum to one are kept as they are.
    """
    refuse_above(
        WORKING_ARRAYS * 8 * pattern.size,
        f"Summarising a pattern of shape {pattern.shape}",
        alternative="pass fewer sequences or heads at a time, or use `from_qk`, which forms none",
    )
    lengths = np.asarray(lengths)
    positions = pattern.shape[-1]
    seen = visibility(lengths, positions, causal=causal, window=window)
    check_pattern(pattern, seen, dtype)
    weights = np.where(seen[:, None], pattern, 0.0).astype(np.float64)
    place = np.arange(positions)
    real = place < lengths[:, None]

    def masked(numbers: Float[np.ndarray, "sequence head position"]) -> np.ndarray:
        return np.where(real[:, None], numbers, np.nan)

    many = seen.sum(-1) >= MANY_KEYS
    nothing = np.full(pattern.shape[:3], np.nan)
    previous = np.zeros(pattern.shape[:3])
    previous[..., 1:] = np.diagonal(weights, -1, 2, 3)
    safe = np.where(weights > 0, weights, 1.0)
    norms = None if values is None else np.linalg.norm(values.astype(np.float64), axis=-1)
    return AttentionSummary(
        log_sum_exp=nothing,
        entropy=masked(-(weights * np.log(safe)).sum(-1)),
        square_sum=masked((weights**2).sum(-1)),
        largest=masked(weights.max(-1)),
        first_mass=masked(weights[..., 0]),
        self_mass=masked(np.diagonal(weights, 0, 2, 3)),
        previous_mass=masked(previous),
        distance=masked((weights * (place[:, None] - place)).sum(-1)),
        row_mass=masked(weights.sum(-1)),
        absolute_mass=masked(weights.sum(-1)),
        rest_mass=masked(weights[..., 1:].sum(-1)),
        rest_entropy=masked(-(weights * np.log(safe))[..., 1:].sum(-1)),
        rest_distance=masked((weights * (place[:, None] - place))[..., 1:].sum(-1)),
        value_norm=nothing if norms is None else masked((weights * norms[:, :, None]).sum(-1)),
        output_norm=(
            nothing if values is None else masked(np.linalg.norm(weights @ values, axis=-1))
        ),
        received=masked(weights.sum(2)),
        late_received=masked(np.where(many[:, None, :, None], weights, 0.0).sum(2)),
        visible=np.where(real, seen.sum(-1), -1),
        viewers=np.where(real, seen.sum(-2), -1),
    )


def static_dynamics(
    summary: AttentionSummary, values: Float[np.ndarray, "sequence head key width"]
) -> ValueDynamics:
    """Return the power of values that every query shares: none of it differs between queries."""
    power = np.nan_to_num(summary.received) * (values.astype(np.float64) ** 2).sum(-1)
    total = power.sum(-1)
    return ValueDynamics(power=total, mean_power=total)
