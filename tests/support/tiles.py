"""Tiles of rows cut from materialised pieces, and records that hold what the tiles give."""

from dataclasses import replace

import numpy as np

from dva_lens.records import RowTile
from dva_lens.statistics.extended.geometry import cloud_numbers
from dva_lens.statistics.extended.measures import MEASURES
from dva_lens.statistics.extended.tiles import gather, stacked


def tiles_of(pieces, layer=0, sequence=0, *, rows=4, tokens=None):
    """Return the tiles of one sequence in one layer."""
    length = int(pieces.lengths[sequence])
    tokens = np.arange(length) % 5 if tokens is None else np.asarray(tokens)[:length]
    gram = np.einsum("hdm,hem->hde", pieces.output[layer], pieces.output[layer])
    values = pieces.values[layer, sequence]
    found = []
    for start in range(0, length, rows):
        queries = np.arange(start, min(start + rows, length))
        pair = values.ndim == 4
        found.append(
            RowTile(
                queries=queries,
                weights=pieces.pattern[layer, sequence][:, queries, :length],
                seen=pieces.seen[sequence][queries, :length],
                values=values[:, queries, :length] if pair else values[:, :length],
                gram=gram,
                tokens=tokens,
            )
        )
    return found


def with_tiles(record, pieces, *, rows=4):
    """Return the record with the numbers of all tile measures, and a random cloud's geometry."""
    generator = np.random.default_rng(5)
    layers = []
    for number, layer in enumerate(record.layers):
        texts, shapes = [], []
        for text, length in enumerate(int(size) for size in pieces.lengths):
            cut = tiles_of(pieces, number, text, rows=rows, tokens=record.tokens[text])
            texts.append(gather(cut, MEASURES, length))
            shapes.append(cloud_numbers(generator.standard_normal((length, 8))))
        held = {"tiles": stacked(texts), "geometry": stacked(shapes)}
        layers.append(replace(layer, **held))
    return replace(record, layers=tuple(layers))
