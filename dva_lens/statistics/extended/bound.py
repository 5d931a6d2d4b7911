"""How low attention entropy can fall, given the size of the scores: entropy collapse."""

import numpy as np
from jaxtyping import Float


def lowest_entropy(
    sigma: float | Float[np.ndarray, "*batch"], visible: int | np.ndarray
) -> np.ndarray:
    """Return the smallest entropy of a row over `visible` keys (Zhai et al. 2023, theorem 3.1).

    Parameters
    ----------
    sigma : float or array
        Spectral norm of W_K W_Q^T times that of X X^T, divided by sqrt of the head width where
        scores are.
    visible : int or array
        Keys that the row sees; one key has no entropy to lose.
    """
    sigma, count = np.asarray(sigma, dtype=np.float64), np.asarray(visible, dtype=np.float64)
    several = np.where(count > 1, count, np.nan)
    beta = np.exp(-sigma * np.sqrt(several / (several - 1)))
    rest = 1 + (several - 1) * beta
    return np.asarray(
        np.log(rest) + sigma * np.sqrt(several * (several - 1)) * beta / rest, dtype=np.float64
    )


def score_sigma(
    states: Float[np.ndarray, "position channel"],
    query: Float[np.ndarray, "channel width"],
    key: Float[np.ndarray, "channel width"],
    scale: float = 1.0,
) -> float:
    """Return the sigma of `lowest_entropy` from the states and weights of one head."""
    product = np.linalg.norm(key.astype(np.float64) @ query.astype(np.float64).T, ord=2)
    return float(scale * product * np.linalg.norm(states.astype(np.float64), ord=2) ** 2)
