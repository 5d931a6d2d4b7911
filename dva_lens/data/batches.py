"""Training batches: a function of the step, so that a killed run continues with the same text."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Int, Integer

from dva_lens.data.cache import TokenCache

Batches = Callable[[int], Int[np.ndarray, "sequence position"]]
"""Gives the token sequences of a step, one token longer than the model sees: inputs and their
successors. The same step always gives the same tokens."""


@final
@dataclass(frozen=True)
class RandomWindows:
    """Random windows of a token stream; they may span documents, with the end token between.

    The windows of a step depend on seed and step alone, so models trained with one seed see the
    same text in the same order. `start` is a token to put before every window, in place of its
    last one.

    Raises
    ------
    ValueError
        The stream holds no more than `length` tokens.
    """

    tokens: Integer[np.ndarray, "position"]
    batch: int
    length: int
    seed: int
    start: int | None = None

    def __post_init__(self) -> None:
        if len(self.tokens) <= self.length:
            raise ValueError(
                f"Training on windows of {self.length} tokens needs more than that, the text has "
                f"{len(self.tokens)}; give more text or a shorter length."
            )

    def __call__(self, step: int) -> Int[np.ndarray, "sequence position"]:
        """Return the windows of a step, one token longer than the model sees."""
        last = len(self.tokens) - self.length
        starts = np.random.default_rng((self.seed, step)).integers(last, size=self.batch)
        places = starts[:, None] + np.arange(self.length + 1)
        return _started(self.tokens[places], self.start)


def held_out_windows(
    cache: TokenCache, *, length: int, count: int, start: int | None = None
) -> Int[np.ndarray, "sequence position"]:
    """Return at most `count` windows, evenly spread over a held-out stream and not overlapping.

    They are one token longer than the model sees, like those of training, and begin with the
    token `start` where those do.

    Raises
    ------
    ValueError
        The held-out text is shorter than a single window.
    """
    fitting = (len(cache.tokens) - 1) // length
    if fitting < 1:
        raise ValueError(
            f"The held-out text has {len(cache.tokens)} tokens, one sequence of {length} needs "
            f"{length + 1}; give more text or a shorter length."
        )
    number = min(count, fitting)
    starts = np.arange(number) * fitting // number * length
    return _started(cache.tokens[starts[:, None] + np.arange(length + 1)], start)


def _started(
    windows: Integer[np.ndarray, "sequence position"], start: int | None
) -> Int[np.ndarray, "sequence position"]:
    """Return windows that begin with a token, as long as they were."""
    tokens = windows.astype(np.int64)
    return tokens if start is None else np.insert(tokens[:, :-1], 0, start, axis=1)
