import numpy as np
import pytest

from dva_lens.data.batches import RandomWindows, held_out_windows
from dva_lens.data.cache import TokenCache

STREAM = np.arange(1000, dtype=np.uint16)


def test_a_step_gives_the_same_windows_whatever_came_before():
    windows = RandomWindows(STREAM, batch=8, length=10, seed=1)
    first = [windows(step) for step in range(5)]
    np.testing.assert_array_equal(windows(3), first[3])
    assert (first[0] != first[1]).any()
    assert (RandomWindows(STREAM, batch=8, length=10, seed=2)(0) != first[0]).any()


def test_windows_are_stretches_of_the_stream_one_longer_than_the_model_sees():
    tokens = RandomWindows(STREAM, batch=500, length=10, seed=0)(0)
    assert tokens.shape == (500, 11)
    assert tokens.dtype == np.int64
    assert (np.diff(tokens) == 1).all()


def test_every_place_of_the_stream_can_be_drawn():
    windows = RandomWindows(STREAM[:6], batch=200, length=4, seed=0)
    assert set(windows(0)[:, 0].tolist()) == {0, 1}


def test_a_stream_shorter_than_a_window_is_refused():
    with pytest.raises(ValueError, match=r"windows of 10 tokens needs more than that.* has 10"):
        RandomWindows(STREAM[:10], batch=1, length=10, seed=0)


def cache_of(count):
    return TokenCache(np.arange(count), np.array([0, count]), ("one",), count, "key")


def test_held_out_windows_are_spread_and_do_not_overlap():
    windows = held_out_windows(cache_of(1000), length=30, count=5)
    assert windows.shape == (5, 31)
    assert (np.diff(windows[:, 0]) >= 30).all()
    assert windows[-1, 0] > 700
    assert held_out_windows(cache_of(31), length=30, count=5).shape == (1, 31)


def test_a_held_out_text_that_is_too_short_is_refused_with_the_numbers():
    with pytest.raises(ValueError, match="has 30 tokens, one sequence of 30 needs 31"):
        held_out_windows(cache_of(30), length=30, count=5)


def test_a_start_token_comes_before_the_same_windows():
    plain = RandomWindows(STREAM, batch=8, length=10, seed=1)(3)
    started = RandomWindows(STREAM, batch=8, length=10, seed=1, start=7)(3)
    assert (started[:, 0] == 7).all()
    np.testing.assert_array_equal(started[:, 1:], plain[:, :-1])
    held = held_out_windows(cache_of(1000), length=30, count=5, start=7)
    assert (held[:, 0] == 7).all()
    assert held.shape == (5, 31)
