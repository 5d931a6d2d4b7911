"""Taking v_ij apart by weighted least squares: what key, query and their pairing contribute.

v_ij = mean + key_j + query_i + interaction_ij. The fit is exact for any weights, also where a
query sees only some keys. All channels of all heads share nothing but the weights.
"""

from typing import cast

import numpy as np
from jaxtyping import Float

from dva_lens.statistics.extended.tiles import sum_over_keys, sum_over_rows, times_gram

PairValues = Float[np.ndarray, "head row key width"]
Weighting = Float[np.ndarray, "#head row key"]
Gram = Float[np.ndarray, "head width width"]


def query_part(
    values: PairValues, weights: Float[np.ndarray, "row key"]
) -> Float[np.ndarray, "head row width"]:
    """Return the part of v_ij that depends on the query alone, with a mean of zero over rows.

    `weights` says which pairs count, and how much; rows without weight get zero.
    """
    _, rest = _without_keys(values, weights[None])
    found = _solve(weights[None], rest)
    mass = weights.sum(1)
    share = mass / max(mass.sum(), 1e-300)
    return found - np.einsum("r,hrd->hd", share, found)[:, None]


def sums_of_squares(
    values: PairValues,
    weights: Weighting,
    gram: Gram,
    power: Float[np.ndarray, "head row key"] | None = None,
) -> Float[np.ndarray, "head part"]:
    """Return squares explained by key, by query, by neither, and their total about the mean.

    Squares are in the units of W_O through its gram matrix; `power` is |W_O v_ij|^2 where it is
    known already. Keys come first: what the key and the query could both explain, as happens
    where queries see unequal keys, is the key's, so that static values read as nothing but key.
    Every square follows from the sums over keys and over rows, so values are gone through twice.
    """
    weights = weights.astype(np.float64)
    if power is None:
        power = (times_gram(values, gram) * values).sum(-1)
    key_mean, rest = _without_keys(values, weights)
    key_mass = np.broadcast_to(weights.sum(1), key_mean.shape[:2])
    whole = (weights * power).sum((1, 2))
    total = np.maximum(whole - _mean_square(key_mean, key_mass, gram), 0.0)
    keyed = (key_mass * (times_gram(key_mean, gram) * key_mean).sum(-1)).sum(-1)
    after_key = np.clip(whole - keyed, 0.0, total)
    query = (times_gram(_solve(weights, rest), gram) * rest).sum((1, 2))
    left = np.clip(after_key - query, 0.0, after_key)
    return np.column_stack([total - after_key, after_key - left, left, total])


def static_squares(
    values: Float[np.ndarray, "head key width"],
    key_mass: Float[np.ndarray, "#head key"],
    gram: Gram,
    power: Float[np.ndarray, "head key"],
) -> Float[np.ndarray, "head part"]:
    """Return the same for values of keys alone, which explain everything.

    `key_mass` is the sum of the weights of each key.
    """
    mass = np.broadcast_to(key_mass, values.shape[:2])
    total = np.maximum((mass * power).sum(1) - _mean_square(values, mass, gram), 0.0)
    return np.column_stack([total, np.zeros_like(total), np.zeros_like(total), total])


def _without_keys(
    values: PairValues, weights: Weighting
) -> tuple[Float[np.ndarray, "head key width"], Float[np.ndarray, "head row width"]]:
    """Return the mean value of every key, and what rows sum to without it."""
    mass = weights.sum(1)[..., None]
    total = sum_over_rows(weights, values)
    key_mean = np.where(mass > 0, total / np.where(mass > 0, mass, 1.0), 0.0)
    return key_mean, sum_over_keys(weights, values) - weights @ key_mean


def _mean_square(
    key_mean: Float[np.ndarray, "head key width"],
    key_mass: Float[np.ndarray, "head key"],
    gram: Gram,
) -> Float[np.ndarray, "head"]:
    mass = np.maximum(key_mass.sum(1), 1e-300)
    mean = key_mass[:, None] @ key_mean / mass[:, None, None]
    return mass * (times_gram(mean, gram) * mean).sum((1, 2))


def _solve(
    weights: Weighting, rest: Float[np.ndarray, "head row width"]
) -> Float[np.ndarray, "head row width"]:
    """Solve for the query parts, the keys' already taken out; one constant is free, and zero."""
    key_mass = weights.sum(1)
    per_key = np.where(key_mass > 0, 1.0 / np.where(key_mass > 0, key_mass, 1.0), 0.0)
    normal = np.eye(weights.shape[1]) * weights.sum(2)[:, :, None]
    normal = normal - (weights * per_key[:, None]) @ weights.swapaxes(1, 2)
    inverse = cast("np.ndarray", np.linalg.pinv(normal, rcond=1e-10, hermitian=True))
    return inverse @ rest
