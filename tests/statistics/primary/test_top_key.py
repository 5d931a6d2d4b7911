"""The most attended key of each text against one found in a pattern that is formed in full."""

import numpy as np
import pytest
import records
from records import Pieces

from dva_lens.statistics.primary.top_key import (
    FEWEST_SHARE,
    earlier_alike,
    top_key_labels,
    uniform_top_key,
)
from dva_lens.statistics.statistic import SharedRecord
from dva_lens.statistics.table import STATISTICS

TOP = STATISTICS["top_key_mass"]


def read(pieces):
    record = records.record_of(pieces)
    shared = SharedRecord.of(record)
    layer = record.layers[0]
    return {"mass": TOP.compute(layer, shared), **top_key_labels(layer, shared)}, record


def by_hand(pieces, text, head):
    """Return position, mean weight, queries and uniform weight of the top key, key by key."""
    best = (np.nan, -1.0, np.nan, np.nan)
    seen = pieces.seen[text]
    visible = seen.sum(-1)
    for key in range(pieces.lengths[text]):
        rows = np.flatnonzero(seen[:, key] & (visible >= 16))
        if (1 / visible[rows]).sum() < FEWEST_SHARE:
            continue
        mean = pieces.pattern[0, text, head, rows, key].mean()
        if mean > best[1]:
            best = key, mean, len(rows), (1 / visible[rows]).mean()
    return best


@pytest.mark.parametrize(
    "options", [{}, {"window": 20}, {"window": 12}, {"causal": False}], ids=str
)
def test_it_is_that_of_the_whole_pattern(options):
    lengths = (60, 43, 17)
    seen = records.visibility(lengths, **options)
    pattern = records.random_pattern(seen, heads=4, concentration=2.0)
    pieces = records.random_pieces(pattern, seen, lengths, kv_heads=2)
    found, record = read(pieces)
    for text in range(len(lengths)):
        for head in range(4):
            position, mass, queries, even = by_hand(pieces, text, head)
            if np.isnan(position):
                assert np.isnan(found["mass"][text, head])
                assert np.isnan(found["top_key_position"][text, head])
                continue
            assert found["top_key_position"][text, head] == position
            assert found["mass"][text, head] == pytest.approx(mass, abs=1e-12)
            assert found["top_key_queries"][text, head] == queries
            assert found["top_key_even"][text, head] == pytest.approx(even, abs=1e-12)
            assert found["top_key_token"][text, head] == record.tokens[text, position]


def test_the_value_of_the_top_key_is_set_against_the_median():
    pieces = records.random_causal((40, 33), layers=1, heads=4, kv_heads=2, concentration=2.0)
    found, record = read(pieces)
    norm = record.layers[0].written.norm
    for text, length in enumerate((40, 33)):
        for head in range(4):
            sizes = norm[text, head // 2, :length]
            at = int(found["top_key_position"][text, head])
            want = sizes[at] / np.median(sizes)
            assert found["top_key_drain"][text, head] == pytest.approx(want, abs=1e-12)


def test_a_head_that_looks_at_itself_has_no_last_token_on_top():
    seen = records.visibility((64,))
    pieces = records.random_pieces(np.eye(64)[None, None, None], seen, (64,))
    found, _ = read(pieces)
    assert found["top_key_position"][0, 0] < 40
    assert found["mass"][0, 0] < 3 * found["top_key_even"][0, 0]


def test_early_queries_do_not_count():
    """A key that only the first queries look at is not on top."""
    seen = records.visibility((48,))
    pattern = np.array(records.uniform_pattern(seen))
    pattern[..., 2:15, :] = 0.0
    pattern[..., 2:15, 2] = 1.0
    pattern[..., 15:, :] *= 0.5
    pattern[..., 15:, 5] += 0.5
    found, _ = read(Pieces(pattern, *records_of(seen)))
    assert found["top_key_position"][0, 0] == 5
    assert found["mass"][0, 0] == pytest.approx(0.5 + 0.5 * uniform_top_key(np.array([48]))[0])


def records_of(seen):
    pieces = records.random_pieces(np.array(records.uniform_pattern(seen)), seen, (48,))
    return pieces.values, pieces.output, pieces.lengths, seen


def test_uniform_attention_by_harmonic_numbers():
    found = uniform_top_key(np.array([8, 20, 64, 2048]))
    assert np.isnan(found[:2]).all()
    assert found[2] == pytest.approx(sum(1 / n for n in range(16, 65)) / 49)
    assert found[3] == pytest.approx(sum(1 / n for n in range(16, 2049)) / 2033)


def test_tokens_that_stood_before_are_counted():
    tokens = np.array([[5, 3, 5, 5, 3, 7], [1, 1, 1, 1, -1, -1]])
    found = earlier_alike(tokens)
    assert found[0].tolist() == [0, 0, 1, 2, 1, 0]
    assert found[1, :4].tolist() == [0, 1, 2, 3]
