"""Reading tiles and states for chosen statistics, in memory that grows with the length only."""

import memory
import numpy as np
import records
import tiles

from dva_lens.records import RowTile
from dva_lens.statistics.extended.reader import StatisticReader
from dva_lens.statistics.table import EXTENDED, STATISTICS


def test_only_what_is_asked_for_is_read():
    chosen = [STATISTICS[name] for name in ("gini", "entropy", "effective_rank")]
    reading = StatisticReader.of(chosen)
    pieces = records.random_causal((9, 6), heads=2, kv_heads=2)
    sequences = [(9, tiles.tiles_of(pieces, 0, 0)), (6, tiles.tiles_of(pieces, 0, 1))]
    found = reading.tiles(sequences)
    assert list(found) == ["gini"]
    assert found["gini"].shape == (2, 2, 9)
    assert np.isnan(found["gini"][1, :, 6:]).all()
    clouds = np.random.default_rng(0).standard_normal((2, 9, 4))
    assert list(reading.geometry(clouds)) == ["effective_rank"]


def tiles_of_length(length, rows=16, heads=2, width=8):
    """Yield tiles one after another, so that only one of them is held at a time."""
    generator = np.random.default_rng(1)
    values = generator.standard_normal((1, length, width))
    gram = np.broadcast_to(np.eye(width), (heads, width, width))
    for start in range(0, length, rows):
        queries = np.arange(start, min(start + rows, length))
        seen = np.arange(length) <= queries[:, None]
        weights = np.broadcast_to(seen / seen.sum(-1, keepdims=True), (heads, *seen.shape))
        yield RowTile(queries, weights, seen, values, gram, np.arange(length) % 7)


def peak(length):
    reading = StatisticReader.of(STATISTICS[name] for name in EXTENDED)
    return memory.peak(lambda: reading.tiles([(length, tiles_of_length(length))]))


def test_memory_grows_with_the_length_and_not_with_its_square():
    assert peak(512) < 2.6 * peak(256)
