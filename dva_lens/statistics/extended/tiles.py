"""Numbers that need whole rows, gathered tile by tile in memory that grows with the length only.

A tile holds some rows of one sequence in one layer (`records.RowTile`). A measure maps a tile to
one number per row, or to sums that are added up over tiles; whatever order tiles come in, and
however many rows they hold, the result is the same.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float

from dva_lens.records import LayerRecord, RowTile
from dva_lens.sites import TILES
from dva_lens.statistics.statistic import Compute, SharedRecord

PerRow = Float[np.ndarray, "head row"]


@final
@dataclass(frozen=True)
class RowMeasure:
    """A measure with one number per row."""

    of: Callable[[RowTile], np.ndarray]


@final
@dataclass(frozen=True)
class SumMeasure:
    """A measure that is finished from sums over all rows: sums (head, *part) to (head, *extra)."""

    of: Callable[[RowTile], np.ndarray]
    finish: Callable[[np.ndarray], np.ndarray]


Measure = RowMeasure | SumMeasure


@final
@dataclass(frozen=True)
class Gathered:
    """What the tiles of one sequence and layer have given so far."""

    rows: Mapping[str, tuple[tuple[np.ndarray, np.ndarray], ...]]
    sums: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, tile: RowTile, measures: Mapping[str, Measure]) -> "Gathered":
        """Apply the measures to one tile."""
        rows: dict[str, tuple[tuple[np.ndarray, np.ndarray], ...]] = {}
        sums: dict[str, np.ndarray] = {}
        for name, measure in measures.items():
            found = np.asarray(measure.of(tile), dtype=np.float64)
            if isinstance(measure, RowMeasure):
                rows[name] = ((tile.queries, found),)
            else:
                sums[name] = found
        return cls(rows, sums)

    def merge(self, other: "Gathered") -> "Gathered":
        """Put together what two disjoint sets of rows gave."""
        rows = {name: held + other.rows[name] for name, held in self.rows.items()}
        sums = {name: held + other.sums[name] for name, held in self.sums.items()}
        return Gathered(rows, sums)

    def summary(self, measures: Mapping[str, Measure], length: int) -> dict[str, np.ndarray]:
        """Return (head, query) for measures by row, NaN where no tile came, and finished sums."""
        found: dict[str, np.ndarray] = {}
        for name, parts in self.rows.items():
            whole = np.full((len(parts[0][1]), length), np.nan)
            for queries, values in parts:
                whole[:, queries] = values
            found[name] = whole
        for name, total in self.sums.items():
            measure = measures[name]
            if isinstance(measure, SumMeasure):
                found[name] = measure.finish(total)
        return found


def gather(
    tiles: Iterable[RowTile],
    measures: Mapping[str, Measure],
    length: int,
    *,
    written: Container[str] = (),
    in_one_text: Container[str] = (),
) -> dict[str, np.ndarray]:
    """Return the numbers of one sequence in one layer from its tiles.

    Those named in `written` need the output projection, and are left out where it is not known;
    those named in `in_one_text` where queries are not of the text of the keys.
    """
    state: Gathered | None = None
    for tile in map(trimmed, tiles):
        usable = {
            name: each
            for name, each in measures.items()
            if (tile.gram is not None or name not in written)
            and (tile.one_text or name not in in_one_text)
        }
        found = Gathered.of(tile, usable)
        state = found if state is None else state.merge(found)
    return {} if state is None else state.summary(measures, length)


def stacked(sequences: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Put sequences of unequal length together, the sequence first and NaN where they end."""
    found: dict[str, np.ndarray] = {}
    for name in sequences[0]:
        parts = [sequence[name] for sequence in sequences]
        shape = np.max([part.shape for part in parts], axis=0)
        whole = np.full((len(parts), *shape), np.nan)
        for row, part in zip(whole, parts, strict=True):
            row[tuple(slice(size) for size in part.shape)] = part
        found[name] = whole
    return found


def gathered(name: str) -> Compute:
    """Return the computation of a statistic whose number the tiles gave.

    The computation raises KeyError where the tiles gave no such number.
    """

    def compute(layer: LayerRecord, shared: SharedRecord) -> np.ndarray:
        del shared
        held = layer.at(TILES)
        if name not in held:
            raise KeyError(
                f"The tiles of this record gave no {name!r}; they gave: {', '.join(held)}."
            )
        return held[name]

    return compute


def trimmed(tile: RowTile) -> RowTile:
    """Return a tile without the keys after the last one that a row of it sees, or is.

    Where queries look back alone, half of all pairs are such, and they add nothing to anything.
    """
    seen = np.flatnonzero(tile.seen.any(0))
    last = int(seen[-1]) + 1 if len(seen) else 1
    if tile.one_text:
        last = max(last, int(tile.queries.max()) + 1)
    if last == tile.weights.shape[-1]:
        return tile
    memo = {} if tile.values.ndim == 4 else {_MEAN: _mean_value(tile)}
    return replace(
        tile,
        weights=tile.weights[..., :last],
        seen=tile.seen[:, :last],
        values=tile.values[..., :last, :],
        tokens=tile.tokens[:last],
        memo=memo,
    )


_MEAN = "mean value"


def mean_value(tile: RowTile) -> Float[np.ndarray, "head width"]:
    """Return the mean of v_j over all keys of the sequence, for values of keys alone."""
    return cached(tile, _MEAN, lambda: _mean_value(tile))


def _mean_value(tile: RowTile) -> Float[np.ndarray, "head width"]:
    found = tile.values.mean(1, dtype=np.float64)
    return found.repeat(tile.weights.shape[0] // len(found), axis=0)


def weights_of(tile: RowTile) -> Float[np.ndarray, "head row key"]:
    """Return the weights in float64."""
    return cached(tile, "weights", lambda: tile.weights.astype(np.float64))


def row_mass(tile: RowTile) -> PerRow:
    """Return what the weights of each row sum to."""
    return cached(tile, "row mass", lambda: weights_of(tile).sum(-1))


def ordered_weights(tile: RowTile) -> Float[np.ndarray, "head row key"]:
    """Return the weights of each row in float64, the smallest first."""
    return cached(tile, "ordered", lambda: np.sort(tile.weights, axis=-1).astype(np.float64))


def visible_keys(tile: RowTile) -> Float[np.ndarray, "row"]:
    """Return the number of keys that each row sees."""
    return tile.seen.sum(-1).astype(np.float64)


def cached(tile: RowTile, name: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """Return what was computed for this tile under a name before, or compute it now."""
    if name not in tile.memo:
        tile.memo[name] = compute()
    return tile.memo[name]


def values_per_head(tile: RowTile) -> np.ndarray:
    """Return v_j as (head, key, width), or v_ij as (head, row, key, width), in float64."""
    return cached(tile, "values", lambda: _per_head(tile))


def _per_head(tile: RowTile) -> np.ndarray:
    values = tile.values.astype(np.float64)
    if values.ndim == 4:
        return values
    return values.repeat(tile.weights.shape[0] // len(values), axis=0)


def projection(tile: RowTile) -> Float[np.ndarray, "head width width"]:
    """Return W_O W_O^T of every head.

    Raises
    ------
    ValueError
        If W_O is not known; a statistic that asks for it names the site WRITTEN in its `needs`.
    """
    if tile.gram is None:
        raise ValueError("These tiles come without an output projection, and this needs one.")
    return tile.gram


def times_gram(values: np.ndarray, gram: Float[np.ndarray, "head width width"]) -> np.ndarray:
    """Return G v, so that <W_O a, W_O b> is a product with it, for vectors of every head."""
    gram = gram.astype(np.float64)
    return values @ (gram[:, None] if values.ndim == 4 else gram)


def written_power(tile: RowTile) -> np.ndarray:
    """Return |W_O v_j|^2 as (head, key), or |W_O v_ij|^2 as (head, row, key)."""

    def compute() -> np.ndarray:
        values = values_per_head(tile)
        return np.maximum((times_gram(values, projection(tile)) * values).sum(-1), 0.0)

    return cached(tile, "written power", compute)


def sum_over_keys(
    weights: Float[np.ndarray, "#head row key"], values: Float[np.ndarray, "head row key width"]
) -> Float[np.ndarray, "head row width"]:
    """Return sum_k w_rk v_rk."""
    return (weights[:, :, None, :] @ values)[:, :, 0]


def sum_over_rows(
    weights: Float[np.ndarray, "#head row key"], values: Float[np.ndarray, "head row key width"]
) -> Float[np.ndarray, "head key width"]:
    """Return sum_r w_rk v_rk."""
    return (weights.swapaxes(1, 2)[:, :, None, :] @ values.swapaxes(1, 2))[:, :, 0]


def outputs(tile: RowTile) -> Float[np.ndarray, "head row width"]:
    """Return what each row of each head writes, before W_O."""
    values, weights = values_per_head(tile), weights_of(tile)
    return weights @ values if values.ndim == 3 else sum_over_keys(weights, values)
