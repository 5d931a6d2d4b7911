"""Work shared among threads, each of which does its own arithmetic from beginning to end.

An operation on many threads ends when its slowest thread does, so that a core that is busy with
something else holds up every one of them. Here a thread takes the next piece of work when it is
done with the last, and never waits for another inside of it.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Barrier, Condition
from typing import Generic, TypeVar, final

import torch
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

Piece = TypeVar("Piece")
Action = Callable[[], object]

AHEAD = 32


@final
class Turns(Generic[Piece]):
    """Pieces of work in order, whoever does them, and what has to be done in that order.

    A thread goes through the pieces it is given by iterating; `end` is called once for each. What
    ends out of turn waits, and no more than `AHEAD` pieces do.
    """

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._left = deque(enumerate(pieces))
        self._ended: dict[int, Action | None] = {}
        self._next = 0
        self._changed = Condition()

    def __iter__(self) -> Iterator[tuple[int, Piece]]:
        """Take pieces until none is left."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: not self._left or self._near())
                if not self._left:
                    return
                taken = self._left.popleft()
            yield taken

    def _near(self) -> bool:
        return self._left[0][0] < self._next + AHEAD

    def end(self, place: int, action: Action | None) -> None:
        """Say that a piece is done; the action runs when those of all earlier pieces have."""
        with self._changed:
            self._ended[place] = action
            while self._next in self._ended:
                found = self._ended.pop(self._next)
                if found is not None:
                    found()
                self._next += 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Give out no more pieces."""
        with self._changed:
            self._left.clear()
            self._changed.notify_all()


@final
class _Helpers:
    """Threads beside the one that asks, each of which does its arithmetic alone."""

    def __init__(self, count: int) -> None:
        self.count = count
        begun = Barrier(count + 1)
        self.executor = ThreadPoolExecutor(count, "attention", _alone)
        for _ in range(count):
            self.executor.submit(begun.wait)
        begun.wait()


def _alone() -> None:
    """Let this thread do its arithmetic alone; asking first makes torch keep the answer."""
    torch.get_num_threads()
    torch.set_num_threads(1)


_kept: list[_Helpers] = []
os.register_at_fork(after_in_child=_kept.clear)


def _helpers(count: int) -> ThreadPoolExecutor:
    if not _kept or _kept[0].count != count:
        for each in _kept:
            each.executor.shutdown(wait=False)
        _kept[:] = [_Helpers(count)]
    return _kept[0].executor


def share(pieces: Sequence[Piece], work: Callable[[Turns[Piece]], None], *, threads: int) -> None:
    """Let `work` go through the pieces in some threads, this one among them.

    Gradients are off in the threads, and inference mode is as it is here. Whoever watches the
    operations of this thread by a dispatch mode is to see all of them, so that it does them alone.
    """
    turns = Turns(pieces)
    others = 0 if is_in_torch_dispatch_mode() else min(threads, len(pieces)) - 1
    if others < 1:
        work(turns)
        return
    inference, own = torch.is_inference_mode_enabled(), torch.get_num_threads()

    def helping() -> None:
        with torch.inference_mode(inference), torch.no_grad():
            try:
                work(turns)
            except BaseException:
                turns.stop()
                raise

    begun: list[Future[None]] = []
    try:
        helpers = _helpers(threads - 1)
        begun = [helpers.submit(helping) for _ in range(others)]
        _alone()
        with torch.no_grad():
            work(turns)
    finally:
        turns.stop()
        wait(begun)
        torch.set_num_threads(own)
    for each in begun:
        each.result()
