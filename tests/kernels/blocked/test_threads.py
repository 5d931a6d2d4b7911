"""Work shared among threads: all of it is done, in order where that counts, and alone inside."""

import os
import threading
import time

import pytest
import torch
from attentions import Draws, attention
from shapes import largest_formed

from dva_lens.kernels.backends import BACKENDS
from dva_lens.kernels.blocked import scores
from dva_lens.kernels.blocked.threads import AHEAD, Turns, share


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def many_blocks(monkeypatch):
    monkeypatch.setattr(scores, "ROWS", 4)
    monkeypatch.setattr(scores, "FEWEST_ROWS", 1)
    monkeypatch.setattr(scores, "ENTRIES_OF_A_THREAD", 300)


def numbers(turns, found):
    for place, number in turns:
        if number % 3 == 0:
            time.sleep(0.001)  # so that threads overtake each other
        turns.end(place, lambda number=number: found.append(number))


def test_everything_is_done_once_and_ends_in_order():
    found = []
    share(range(100), lambda turns: numbers(turns, found), threads=4)
    assert found == list(range(100))


def test_each_thread_does_its_arithmetic_alone_and_others_keep_theirs(three_threads):
    seen, barrier = [], threading.Barrier(3)

    def work(turns):
        barrier.wait(10)
        for place, _ in turns:
            turns.end(place, lambda: None)
        seen.append((threading.get_ident(), torch.get_num_threads(), torch.is_grad_enabled()))

    share(range(9), work, threads=3)
    assert {each[1:] for each in seen} == {(1, False)}
    assert len({each[0] for each in seen}) == 3
    assert torch.get_num_threads() == 3
    later = []
    other = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert later == [3]


def test_what_fails_in_a_thread_fails_here_and_stops_the_others():
    begun = []

    def work(turns):
        for place, number in turns:
            begun.append(number)
            if number == 2:
                raise ValueError("the third")
            turns.end(place, None)

    with pytest.raises(ValueError, match="the third"):
        share(range(1000), work, threads=2)
    assert len(begun) <= 3 + AHEAD


def test_no_thread_runs_far_ahead_of_a_slow_one():
    turns, first, places = Turns(range(100)), threading.Event(), []
    slow, fast = iter(turns), iter(turns)
    place, _ = next(slow)

    def run():
        for each, _ in fast:
            places.append(each)
            turns.end(each, None)
            if len(places) == AHEAD - 1:
                first.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert first.wait(10)
    assert len(places) == AHEAD - 1
    turns.end(place, None)
    thread.join(10)
    assert len(places) == 99


@pytest.mark.parametrize("weights", ["causal", "packed", "sink", "sigmoid"])
def test_the_number_of_threads_changes_no_bit(weights, three_threads, many_blocks):
    inputs = attention(Draws((3, 4, 2), 43), "static", weights)
    output, found = BACKENDS["blocked"](*inputs)
    torch.set_num_threads(1)
    again, alone = BACKENDS["blocked"](*inputs)
    assert torch.equal(output, again)
    for name, value in vars(alone).items():
        torch.testing.assert_close(
            getattr(found, name), value, rtol=0, atol=0, equal_nan=True, msg=name
        )


def test_inference_mode_reaches_the_threads(three_threads, many_blocks):
    with torch.inference_mode():
        inputs = attention(Draws((1, 4, 2), 43), "static", "causal")
        output, _ = BACKENDS["blocked"](*inputs)
    assert output.is_inference()


def test_a_watcher_sees_all_operations(three_threads, many_blocks):
    inputs = attention(Draws((3, 4, 2), 43), "static", "causal")
    assert largest_formed(lambda: BACKENDS["blocked"](*inputs)) >= 4 * 43 * 4


def test_a_fork_begins_threads_of_its_own(three_threads, many_blocks):
    inputs = attention(Draws((1, 4, 2), 43), "static", "causal")
    BACKENDS["blocked"](*inputs)
    child = os.fork()
    if child == 0:
        try:
            share(range(9), lambda turns: numbers(turns, []), threads=3)
            os._exit(0)
        finally:
            os._exit(1)
    deadline = time.monotonic() + 20
    while (done := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    if done == (0, 0):
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(done[1]) == 0
    assert done[0] == child
