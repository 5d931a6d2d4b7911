"""Which queries keep their largest edges: the first sequences, as far as a budget holds them."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Values
from dva_lens.recording.edges import (
    COUNT,
    Kept,
    Written,
    edges_of_call,
    edges_of_rows,
    padded_edges,
)
from dva_lens.recording.norms import Gram
from dva_lens.recording.tiles import alone
from dva_lens.records import RowTile
from dva_lens.sites import AttentionEdges

BUDGET = 8 << 20
"""Bytes that the edges of one measurement take unless something else is asked for."""
_NUMBER = 4


@final
@dataclass(frozen=True)
class EdgePlan:
    """Which queries keep their edges: those of the first sequences, as many as `budget` holds.

    `lengths` are those of all sequences that may keep edges, or bounds of them; `first` says how
    many of them came in earlier passes, and `layers` share the bytes of the budget alike.
    """

    budget: int
    layers: int
    lengths: tuple[int, ...]
    first: int = 0
    count: int = COUNT

    def queries(self, heads: int) -> tuple[int, ...]:
        """Return how many queries of each sequence of this pass keep their edges, the first ones.

        Sequences are kept whole and in order; only the first is cut where it does not fit.
        """
        left, found = self.budget // self.layers, list[int]()
        for at, length in enumerate(self.lengths):
            size = edge_bytes(heads, length, min(self.count, length), length)
            fits = length if size <= left else 0
            if at == 0 and not fits:
                fixed = edge_bytes(heads, 0, 0, length)
                each = edge_bytes(heads, 1, min(self.count, length), length) - fixed
                fits = max(0, (left - fixed) // each)
            if not fits:
                break
            found.append(fits)
            left -= size
        return tuple(found[self.first :])

    def of_call(  # noqa: PLR0913  (an attention has this many parts)
        self,
        query: Float[Tensor, "sequence head query inner"],
        key: Float[Tensor, "sequence kv_head key inner"],
        values: Values,
        rule: Rule,
        out: Float[Tensor, "sequence head query value_width"],
        gram: Gram | None,
        lengths: Int[np.ndarray, "sequence"],
    ) -> AttentionEdges | None:
        """Return the edges of the sequences of one attention that keep theirs, None without any.

        `out` is what was mixed; shares are NaN without the `gram` of W_O.
        """
        found = []
        pairs = zip(self.queries(query.shape[1]), lengths, strict=False)
        for sequence, (queries, length) in enumerate(pairs):
            own = slice(sequence, sequence + 1)
            call = (query[own], key[own], alone(values, sequence), alone(rule, sequence))
            written = Written(out[own], gram)
            kept = Kept(int(length), min(queries, int(length)), self.count)
            found.append(edges_of_call(*call, written, kept))
        return padded_edges(found) if found else None

    def of_rows(self, sequences: Iterable[tuple[int, Iterable[RowTile]]]) -> AttentionEdges | None:
        """Return the same from whole rows of patterns that exist already."""
        found: list[AttentionEdges] = []
        for length, tiles in sequences:
            tiles = iter(tiles)
            opening = next(tiles, None)
            if opening is None:
                break
            planned = self.queries(len(opening.weights))
            if len(found) >= len(planned):
                break
            kept = Kept(length, planned[len(found)], self.count)
            found.append(edges_of_rows(itertools.chain([opening], tiles), kept))
        return padded_edges(found) if found else None


def edge_bytes(heads: int, queries: int, count: int, keys: int) -> int:
    """Return the bytes that edges of so many queries over so many keys take in one layer."""
    each = 2 * _NUMBER + key_type(keys).itemsize
    return heads * (queries * (count * each + _NUMBER) + keys * _NUMBER) + queries * _NUMBER


def key_type(keys: int) -> np.dtype:
    """Return the smallest type that names so many keys, and none as -1."""
    return np.dtype(np.int16 if keys <= np.iinfo(np.int16).max else np.int32)
