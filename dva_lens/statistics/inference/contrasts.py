"""Differences between models: on the same texts, and between architectures over their seeds."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np

from dva_lens.statistics.inference.estimate import Estimate, moments, profile, t_estimate

Moments = tuple[np.ndarray, np.ndarray, np.ndarray]


def text_contrast(
    ours: np.ndarray,
    theirs: np.ndarray,
    documents: Sequence[str] | np.ndarray,
    *,
    weights: np.ndarray | None = None,
    level: float = 0.95,
) -> Estimate:
    """Estimate ours minus theirs for these checkpoints and new text, paired text by text.

    Both are over (seed, sequence, *cells), measured on the same sequences; their seeds need not
    be as many. Checkpoints are averaged first: they are given, texts are drawn. `weights`, over
    (sequence, *cells), say what each sequence counts; default: one.

    Raises
    ------
    ValueError
        If the two do not have the same sequences and cells.
    """
    if ours.shape[1:] != theirs.shape[1:]:
        raise ValueError(
            f"Both models must be measured on the same texts, got {ours.shape[1:]} and "
            f"{theirs.shape[1:]} as (sequence, ...); measure them on one text."
        )
    difference = moments(ours)[0] - moments(theirs)[0]
    size = np.fmax(np.abs(moments(ours)[0]), np.abs(moments(theirs)[0]))
    difference = np.where(np.abs(difference) <= 1e-13 * size, 0.0, difference)
    return profile(difference, documents, weights=weights, level=level)


def seed_contrasts(
    models: Mapping[str, np.ndarray],
    baseline: str,
    *,
    variance: Literal["separate", "pooled"] = "separate",
    level: float = 0.95,
) -> dict[str, Estimate]:
    """Estimate each model minus the baseline for these architectures trained again.

    Parameters
    ----------
    models : mapping
        Numbers over (seed, *cells) for every model.
    baseline : str
        The model that all others are compared with.
    variance : {"separate", "pooled"}
        Whether each model keeps its own variance between seeds, with Satterthwaite's degrees of
        freedom, or all models share one. Pooling gives more power, but covers as promised only if
        all vary alike: a model that varies twice as much is covered 90 % instead of 95 %.
    level : float
        Coverage of the intervals.

    Raises
    ------
    KeyError
        If no model is called `baseline`.
    ValueError
        If the models do not have the same cells.
    """
    _check_baseline(models, baseline)
    parts = {
        name: moments(np.asarray(values, dtype=np.float64)) for name, values in models.items()
    }
    shared = _pooled(parts.values()) if variance == "pooled" else None
    return {
        name: _difference(
            part,
            parts[baseline],
            shared,
            level=level,
            seeds=min(_seeds(part), _seeds(parts[baseline])),
        )
        for name, part in parts.items()
        if name != baseline
    }


def same_against_same(
    values: np.ndarray,
    documents: Sequence[str] | np.ndarray,
    *,
    weights: np.ndarray | None = None,
    level: float = 0.95,
) -> Estimate | None:
    """Estimate the difference between halves of one model's seeds: what no difference looks like.

    It stands beside every comparison of models. None with a single seed.
    """
    half = len(values) // 2
    if half == 0:
        return None
    first, second = values[:half], values[half : 2 * half]
    return text_contrast(first, second, documents, weights=weights, level=level)


def _seeds(part: Moments) -> int:
    """Return how many seeds have any value."""
    return int(part[2].max(initial=0))


def _pooled(parts: Iterable[Moments]) -> tuple[np.ndarray, np.ndarray]:
    """Return the variance between seeds shared by all models, and its degrees of freedom."""
    freedom = squares = np.zeros(())
    for _, variance, count in parts:
        freedom = freedom + np.maximum(count - 1, 0)
        squares = squares + np.where(count > 1, np.nan_to_num(variance) * (count - 1), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(freedom > 0, squares / freedom, np.nan), np.asarray(freedom)


def _difference(
    ours: Moments,
    theirs: Moments,
    shared: tuple[np.ndarray, np.ndarray] | None,
    *,
    level: float,
    seeds: int,
) -> Estimate:
    """Return the t estimate of a difference; what is rounding in constant data is zero."""
    (own, own_variance, own_count), (other, other_variance, other_count) = ours, theirs
    with np.errstate(invalid="ignore", divide="ignore"):
        if shared is None:
            a, b = own_variance / own_count, other_variance / other_count
            freedom = (a + b) ** 2 / (a**2 / (own_count - 1) + b**2 / (other_count - 1))
            freedom = np.where(a + b == 0, own_count + other_count - 2, freedom)
            error = np.sqrt(a + b)
        else:
            error = np.sqrt(shared[0] * (1 / own_count + 1 / other_count))
            freedom = shared[1]
    size = np.fmax(np.abs(own), np.abs(other))
    difference = own - other
    difference = np.where(np.abs(difference) <= 1e-13 * size, 0.0, difference)
    error = np.where(error <= 1e-13 * size, 0.0, error)
    return t_estimate(difference, error, freedom, level=level, seeds=seeds)


def _check_baseline(models: Mapping[str, np.ndarray], baseline: str) -> None:
    if baseline not in models:
        raise KeyError(f"No model is called {baseline!r}; there are: {', '.join(models)}.")
    shapes = {name: np.shape(values)[1:] for name, values in models.items()}
    odd = [name for name, shape in shapes.items() if shape != shapes[baseline]]
    if odd:
        raise ValueError(
            f"All models must have the cells of {baseline!r}, {shapes[baseline]}; "
            f"{odd[0]!r} has {shapes[odd[0]]}. Compare summaries over depth instead."
        )
