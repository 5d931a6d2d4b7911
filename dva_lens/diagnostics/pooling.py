"""Which positions of which texts are pooled, so that there are keys enough for every channel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Int

from dva_lens.models.decoder import Decoder
from dva_lens.statistics.extended.dynamic import KEYS_PER_CHANNEL, KEYS_PER_COEFFICIENT

QUERIES = 128
WANTED_PER_COEFFICIENT = 16


@final
@dataclass(frozen=True)
class Need:
    """How many query heads there are, and keys: to rank, to map at least, and to map well."""

    heads: int
    ranked: int
    fewest: int
    wanted: int

    @classmethod
    def of(cls, model: Decoder) -> "Need":
        """Read it off the shape of a model."""
        width, parts = model.config.shape.value_dim, model.config.value_form.parts
        ranked, coefficients = KEYS_PER_CHANNEL * width, parts * width + 1
        fewest = max(ranked, KEYS_PER_COEFFICIENT * coefficients)
        wanted = max(fewest, WANTED_PER_COEFFICIENT * coefficients)
        return cls(model.config.heads, ranked, fewest, wanted)


@final
@dataclass(frozen=True)
class Drawn:
    """Positions drawn from each text, and which of them, put in one row, are queries and keys."""

    positions: tuple[Int[np.ndarray, "_"], ...]
    queries: Int[np.ndarray, "query"]
    keys: Int[np.ndarray, "key"]


def drawn_from(lengths: Sequence[int], need: Need, seed: int) -> Drawn:
    """Draw queries and keys evenly from all positions of texts of these lengths.

    Raises
    ------
    ValueError
        The texts together hold fewer tokens than values of this width need.
    """
    total = sum(lengths)
    if total < need.fewest:
        raise ValueError(
            f"The values of this model are so wide that {need.fewest} tokens are needed, got "
            f"{total} in all texts; pass more text."
        )
    draw = np.random.default_rng(seed)
    chosen = draw.choice(total, min(total, need.wanted), replace=False)
    queries = draw.choice(total, min(QUERIES, total), replace=False)
    kept = np.union1d(chosen, queries)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    bounds = np.searchsorted(kept, starts)
    positions = tuple(
        kept[first:last] - start
        for first, last, start in zip(bounds[:-1], bounds[1:], starts[:-1], strict=True)
    )
    return Drawn(positions, np.searchsorted(kept, queries), np.searchsorted(kept, chosen))
