"""Taking v_ij apart by weighted least squares: what key, query and their pairing contribute.

v_ij = mean + key_j + query_i + interaction_ij. The fit is exact for any weights, also where a
query sees only some keys. All channels of all heads share nothing but the weights.
"""

import numpy as np
from jaxtyping import Float

PairValues = Float[np.ndarray, "head row key width"]


def query_part(
    values: PairValues, weights: Float[np.ndarray, "row key"]
) -> Float[np.ndarray, "head row width"]:
    """Return the part of v_ij that depends on the query alone, with a mean of zero over rows.

    `weights` says which pairs count, and how much; rows without weight get zero.
    """
    mass = weights.sum(1)
    key_mean = _key_means(values, weights[None])
    apart = np.einsum("rk,hrkd->hrd", weights, values - key_mean[:, None])
    found = _solve(weights[None], apart)
    share = mass / max(mass.sum(), 1e-300)
    return found - np.einsum("r,hrd->hd", share, found)[:, None]


def sums_of_squares(
    values: PairValues,
    weights: Float[np.ndarray, "head row key"],
    gram: Float[np.ndarray, "head width width"],
) -> Float[np.ndarray, "head part"]:
    """Return squares explained by key, by query, by neither, and their total about the mean.

    Squares are in the units of W_O through its gram matrix. Keys come first: what the key and the
    query could both explain, as happens where queries see unequal keys, is the key's, so that
    static values read as nothing but key.
    """
    gram, weights = gram.astype(np.float64), weights.astype(np.float64)
    mass = np.maximum(weights.sum((1, 2)), 1e-300)
    mean = np.einsum("hrk,hrkd->hd", weights, values) / mass[:, None]
    centred = values - mean[:, None, None]
    key_mean = _key_means(centred, weights)
    total = _squares(centred, weights, gram)
    after_key = _squares(centred - key_mean[:, None], weights, gram)
    apart = np.einsum("hrk,hrkd->hrd", weights, centred - key_mean[:, None])
    query = _solve(weights, apart)
    rest = centred - query[:, :, None]
    rest = rest - _key_means(rest, weights)[:, None]
    left = np.minimum(_squares(rest, weights, gram), after_key)
    return np.column_stack([total - after_key, after_key - left, left, total])


def _key_means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    mass = weights.sum(1)
    total = np.einsum("hrk,hrkd->hkd", np.broadcast_to(weights, values.shape[:3]), values)
    safe = np.where(mass > 0, mass, 1.0)[..., None]
    return np.where(mass[..., None] > 0, total / safe, 0.0)


def _solve(weights: np.ndarray, apart: np.ndarray) -> np.ndarray:
    """Solve for the query parts, the keys' already taken out; one constant is free, and zero."""
    key_mass = weights.sum(1)
    inverse = np.where(key_mass > 0, 1.0 / np.where(key_mass > 0, key_mass, 1.0), 0.0)
    rows = weights.shape[1]
    normal = np.eye(rows) * weights.sum(2)[:, :, None]
    normal = normal - np.einsum("hrk,hk,hsk->hrs", weights, inverse, weights, optimize=True)
    return np.linalg.pinv(normal, rcond=1e-10, hermitian=True) @ apart


def _squares(values: np.ndarray, weights: np.ndarray, gram: np.ndarray) -> np.ndarray:
    turned = values @ gram[:, None]
    return np.einsum("hrk,hrkd,hrkd->h", weights, turned, values, optimize=True)
