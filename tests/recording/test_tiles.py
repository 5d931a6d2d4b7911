"""Tiles of rows against the pattern formed in full."""

import numpy as np
import pytest
import torch
from rounding import pattern_limits, sums, within

from dva_lens.kernels.decay import Decay
from dva_lens.kernels.reference import attention as reference
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.text_blocks import TextBlocks
from dva_lens.kernels.values import Pairwise, Static
from dva_lens.recording import tiles
from dva_lens.recording.layout import Layout
from dva_lens.recording.recorder import AttentionCall, Recorder
from dva_lens.recording.tiles import alone, row_tiles
from dva_lens.sites import GEOMETRY, SUMMARY, TILES
from dva_lens.statistics.extended.reader import StatisticReader
from dva_lens.statistics.table import STATISTICS

LENGTH, WIDTH = 21, 4
PLACE = torch.arange(LENGTH)


def tensors(seed=0):
    torch.manual_seed(seed)
    query, key = torch.randn(2, 4, LENGTH, WIDTH), torch.randn(2, 2, LENGTH, WIDTH)
    return query, key, torch.randn(2, 2, LENGTH, WIDTH)


IN_BLOCKS = (PLACE // 6).expand(2, -1)
FOR_BLOCKS = torch.linspace(-2, 2, 2 * 4 * LENGTH * 4).reshape(2, 4, LENGTH, 4)
RULES = {
    "plain": Rule(0.5),
    "window": Rule(0.5, window=5),
    "both ways": Rule(0.5, causal=False),
    "sigmoid": Rule(0.5, normaliser="sigmoid", bias=-2.0),
    "sink": Rule(0.5, sink=torch.tensor([0.0, 1.0, -1.0, 3.0])),
    "relu": Rule(0.5, normaliser="relu", bias=0.3),
    "softcap": Rule(0.5, softcap=2.0),
    "taylor": Rule(0.5, similarity="taylor"),
    "decay": Rule(0.5, decay=Decay((-0.3, -0.1, -0.03, 0.0))),
    "decay of scores": Rule(0.5, decay=Decay((-0.3, -0.1, -0.03, 0.0), "scores")),
    "bias": Rule(0.5, bias=torch.linspace(-1, 1, LENGTH * LENGTH).reshape(1, 1, LENGTH, LENGTH)),
    "blocks": Rule(0.5, text_blocks=TextBlocks(IN_BLOCKS, FOR_BLOCKS)),
    "blocks with keys": Rule(
        0.5, text_blocks=TextBlocks(IN_BLOCKS, FOR_BLOCKS, FOR_BLOCKS[..., 0])
    ),
    "padding": Rule(0.5, segments=(torch.arange(LENGTH) < torch.tensor([[LENGTH], [13]])).long()),
}


def read(query, key, values, weights, *, sequence, length):
    cut = slice(sequence, sequence + 1)
    gram = torch.eye(WIDTH).expand(4, WIDTH, WIDTH)
    found = row_tiles(
        query[cut],
        key[cut],
        alone(values, sequence),
        alone(weights, sequence),
        gram=gram,
        tokens=np.arange(length),
    )
    return list(found)


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(tiles, "FEWEST_ROWS", 1)
    monkeypatch.setattr(tiles, "ENTRIES", 4 * LENGTH * 6)


@pytest.mark.parametrize("rule", RULES)
def test_tiles_are_rows_of_the_pattern(rule):
    query, key, value = tensors()
    weights = RULES[rule]
    whole = reference.pattern(query, key, weights)[1].numpy()
    length = 13 if rule == "padding" else LENGTH
    found = read(query, key, Static(value), weights, sequence=1, length=length)
    assert len(found) > 1
    rows = np.concatenate([tile.weights for tile in found], axis=1)
    limit = pattern_limits(query.double(), key.double(), weights, dtype=torch.float32)[1]
    within(rows, whole[:, :length, :length], 2 * limit[:, :length, :length])
    assert np.concatenate([tile.queries for tile in found]).tolist() == list(range(length))
    seen = np.concatenate([tile.seen for tile in found])
    assert (rows[:, ~seen] == 0).all()
    np.testing.assert_array_equal(found[0].values, value[1, :, :length].numpy())


def test_values_that_depend_on_the_query_come_pair_by_pair():
    query, key, value = tensors(1)
    values = Pairwise(torch.randn(2, 4, LENGTH, WIDTH), value)
    found = read(query, key, values, RULES["plain"], sequence=1, length=LENGTH)
    whole = values.pairs(PLACE, PLACE, 4)[1].numpy()
    rows = np.concatenate([tile.values for tile in found], axis=1)
    within(rows, whole, sums(4, np.abs(whole), torch.float32))


def test_a_recorder_stores_what_the_reader_makes_of_the_tiles():
    query, key, value = tensors(2)
    recorder = Recorder((SUMMARY, TILES, GEOMETRY), "reference", torch.device("cpu"))
    recorder.layout = Layout.plain(torch.tensor([LENGTH, 13]), LENGTH)
    recorder.reader = StatisticReader.of(STATISTICS[name] for name in ("gini", "mass_account"))
    recorder.tokens = np.zeros((2, LENGTH), dtype=np.int64)
    gram = torch.eye(WIDTH).expand(4, WIDTH, WIDTH)
    recorder.attention(0, AttentionCall(query, key, Static(value), RULES["plain"]), gram=gram)
    recorder.stream(0, torch.randn(2, LENGTH, 6))
    (layer,) = recorder.take(1)
    assert layer.tiles["gini"].shape == (2, 4, LENGTH)
    assert np.isnan(layer.tiles["gini"][1, :, 13:]).all()
    shares = layer.tiles["mass_account"]
    within(shares.sum(-1), np.ones(shares.shape[:-1]), sums(LENGTH, 4.0, torch.float32))
    first = layer.summary.first_mass
    within(shares[..., 0], np.nanmean(first, axis=-1), sums(LENGTH, 1.0, torch.float32))
    assert layer.geometry == {}
