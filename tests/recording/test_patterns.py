import dataclasses

import numpy as np
import pytest
from records import random_causal, record_of, uniform_pattern, visibility

from dva_lens.recording import patterns
from dva_lens.recording.patterns import summary_of

FIVE = np.array([5])
LENGTHS = np.array([9, 7])


def _same(found, expected, *, leaving=("log_sum_exp",)):
    for field in dataclasses.fields(expected):
        if field.name not in leaving:
            np.testing.assert_allclose(
                getattr(found, field.name), getattr(expected, field.name), err_msg=field.name
            )


@pytest.mark.parametrize("sink", [None, 1.0])
def test_a_summary_equals_the_materialised_one(sink):
    pieces = random_causal(LENGTHS, layers=1, sink=sink)
    values = np.repeat(pieces.values[0], 2, axis=1)
    found = summary_of(pieces.pattern[0], LENGTHS, values=values)
    _same(found, record_of(pieces).layers[0].summary)
    assert np.isnan(found.log_sum_exp).all()


def test_without_values_there_are_no_norms():
    found = summary_of(random_causal(LENGTHS, layers=1).pattern[0], LENGTHS)
    assert np.isnan(found.value_norm).all()
    assert np.isnan(found.output_norm).all()


def test_rows_of_padding_are_never_looked_at():
    pieces = random_causal(LENGTHS, layers=1)
    garbage = pieces.pattern[0].copy()
    garbage[1, :, 7:] = 1 / 9
    _same(
        summary_of(garbage, LENGTHS),
        summary_of(pieces.pattern[0], LENGTHS),
        leaving=("log_sum_exp", "value_norm", "output_norm"),
    )


@pytest.mark.parametrize(
    ("causal", "window"), [(True, None), (True, 3), (False, None), (False, 3)]
)
def test_visible_keys_and_viewers_follow_the_mask(causal, window):
    seen = visibility(LENGTHS, causal=causal, window=window)
    found = summary_of(uniform_pattern(seen)[0], LENGTHS, causal=causal, window=window)
    assert (found.visible[1, :7] == seen[1].sum(-1)[:7]).all()
    assert (found.viewers[1, :7] == seen[1].sum(-2)[:7]).all()
    keys = np.where(found.visible > 0, found.visible, np.nan)
    np.testing.assert_allclose(found.entropy[:, 0], np.log(keys), atol=1e-12)


def test_scores_are_not_weights():
    with pytest.raises(ValueError, match="these are scores"):
        summary_of(np.random.default_rng(0).standard_normal((1, 2, 5, 5)), FIVE)


def test_rows_above_one_are_refused():
    pattern = uniform_pattern(visibility(FIVE))[0]
    with pytest.raises(ValueError, match="sum to at most one"):
        summary_of(2 * pattern, FIVE)


def test_weight_on_invisible_keys_is_refused():
    pattern = uniform_pattern(visibility(FIVE, causal=False))[0]
    with pytest.raises(ValueError, match="causal=False"):
        summary_of(pattern, FIVE)


def test_a_pattern_that_is_not_square_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        summary_of(np.zeros((1, 2, 5, 4)), FIVE)


def test_a_large_pattern_is_refused_before_anything_is_formed():
    with pytest.raises(MemoryError, match="from_qk"):
        summary_of(np.broadcast_to(np.float32(0), (1, 12, 4096, 4096)), np.array([4096]))


def test_static_values_have_no_dynamics():
    pieces = random_causal(LENGTHS, layers=1, kv_heads=4)
    found = patterns.static_dynamics(summary_of(pieces.pattern[0], LENGTHS), pieces.values[0])
    expected = record_of(pieces).layers[0].dynamics
    np.testing.assert_allclose(found.power, expected.power)
    np.testing.assert_allclose(found.mean_power, found.power)
