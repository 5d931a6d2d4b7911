"""Families of things that are alike: clusters of profiles, and whether they are stable.

Anything can be cut into clusters. A number of families is taken only where clusters found again
from resampled units are the same (adjusted Rand index), and more so than in profiles drawn from
one normal cloud with the same correlations, which has no families however long it is. That null is
the one of Liu et al. 2008 (J. Am. Stat. Assoc. 103), with stability in place of their index.
"""

# Strict but for what scipy leaves untyped in its own signatures.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int

COUNTS = (2, 3, 4, 5, 6)
FEWEST_STABLE = 0.7
"""An adjusted Rand index below this is no stable division."""
AS_GOOD = 0.02
DRAWS, NULLS, NULL_DRAWS = 20, 8, 5


@final
@dataclass(frozen=True)
class Families:
    """A division of profiles: a label each, and how stable divisions into each number were.

    `stability` and `chance` hold, by number of families, the mean adjusted Rand index between
    the division and those of resampled units, and the largest that single clouds gave. All
    labels are 0 where no division is stable.
    """

    labels: Int[np.ndarray, "profile"]
    counts: tuple[int, ...]
    stability: Float[np.ndarray, "count"]
    chance: Float[np.ndarray, "count"]

    @property
    def count(self) -> int:
        """How many families there are, 1 where no division is stable."""
        return int(self.labels.max()) + 1


def families(
    profiles: Float[np.ndarray, "profile feature"],
    units: Int[np.ndarray, "profile"],
    *,
    seed: int = 0,
) -> Families:
    """Divide profiles into families by Ward's method on standardised features.

    The largest number of families is taken whose stability is within a fiftieth of the best, if
    that is at least 0.7 and above chance. Whole units are resampled, such as trainings, because
    their profiles are not independent.

    Raises
    ------
    ValueError
        There are fewer than eight profiles, or no feature differs between them.
    """
    scaled = standardised(profiles)
    if len(scaled) < 8 or not scaled.shape[1]:
        raise ValueError(
            f"Families need eight profiles and a feature that differs, got {len(scaled)} and "
            f"{scaled.shape[1]}."
        )
    rng = np.random.default_rng(seed)
    counts = tuple(count for count in COUNTS if count * 2 <= len(scaled))
    found = _divided(scaled, counts)
    stability = _stability(scaled, units, found, counts, DRAWS, rng)
    null = np.stack([_of_one_cloud(scaled, units, counts, rng) for _ in range(NULLS)])
    chance = null.max(0)
    good = stability >= max(float(stability.max()) - AS_GOOD, FEWEST_STABLE)
    good &= stability > chance
    labels = found[np.flatnonzero(good).max()] if good.any() else np.zeros(len(scaled), dtype=int)
    return Families(_by_size(labels), counts, stability, chance)


def standardised(profiles: Float[np.ndarray, "profile feature"]) -> np.ndarray:
    """Return features with mean zero and variance one; those that do not differ are left out."""
    spread = profiles.std(0)
    varies = spread > 1e-9 * np.maximum(np.abs(profiles).max(0), 1e-300)
    return (profiles[:, varies] - profiles[:, varies].mean(0)) / spread[varies]


def rand_agreement(ours: Int[np.ndarray, "profile"], theirs: Int[np.ndarray, "profile"]) -> float:
    """Return the adjusted Rand index of two divisions: 1 if they are the same, 0 by chance.

    Source: Hubert and Arabie 1985, J. Classification 2, equation 5.
    """
    table = np.zeros((int(ours.max()) + 1, int(theirs.max()) + 1))
    np.add.at(table, (ours, theirs), 1)
    both = _pairs(table).sum()
    rows, columns = _pairs(table.sum(1)).sum(), _pairs(table.sum(0)).sum()
    expected = rows * columns / _pairs(np.array(float(len(ours))))
    most = (rows + columns) / 2
    return 1.0 if most == expected else float((both - expected) / (most - expected))


def _pairs(counts: np.ndarray) -> np.ndarray:
    return np.asarray(counts * (counts - 1) / 2)


def _divided(scaled: np.ndarray, counts: tuple[int, ...]) -> list[np.ndarray]:
    """Return the labels of Ward's method for each number of families."""
    from scipy.cluster.hierarchy import fcluster, ward

    tree = ward(scaled)
    return [np.asarray(fcluster(tree, count, "maxclust")) - 1 for count in counts]


def _stability(
    scaled: np.ndarray,
    units: np.ndarray,
    found: list[np.ndarray],
    counts: tuple[int, ...],
    draws: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the mean agreement of a division with those of resampled units."""
    names = np.unique(units)
    members = [np.flatnonzero(units == name) for name in names]
    agreement = np.empty((draws, len(counts)))
    for draw in range(draws):
        drawn = rng.integers(len(names), size=len(names))
        taken = np.unique(np.concatenate([members[at] for at in drawn]))
        again = _divided(scaled[taken], counts)
        pairs = zip(found, again, strict=True)
        agreement[draw] = [rand_agreement(one[taken], other) for one, other in pairs]
    return agreement.mean(0)


def _of_one_cloud(
    scaled: np.ndarray, units: np.ndarray, counts: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """Return the stability of dividing one normal cloud with the correlations of the profiles."""
    spread = np.linalg.svd(scaled / np.sqrt(len(scaled)), full_matrices=False)
    cloud = rng.standard_normal(scaled.shape) @ (spread.S[:, None] * spread.Vh)
    return _stability(cloud, units, _divided(cloud, counts), counts, NULL_DRAWS, rng)


def _by_size(labels: np.ndarray) -> np.ndarray:
    """Return labels in the order of the sizes of their families, the largest first."""
    found, belongs, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    place = np.empty(len(found), dtype=int)
    place[np.argsort(-sizes, kind="stable")] = np.arange(len(found))
    return place[belongs]
