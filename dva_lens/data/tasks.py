"""Synthetic tasks whose answer is known: what can be predicted, and the loss nobody can beat.

They check models and statistics end to end. A model that solves Bigram-Backcopy with softmax
attention is expected to grow a sink with a drained value on the start token, because a head that
copies must do nothing at every token but the triggers.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from jaxtyping import Bool, Float, Int
from tokenizers import Tokenizer, models

from dva_lens.data.evaluation import EvaluationText

START = 0
_TRAIN, _TEST = 0, 1


@final
@dataclass(frozen=True)
class TaskBatch:
    """Sequences of a task, and for each token but the last what its successor offers.

    `predictable` says that the context decides the successor, `optimal` is the expected loss in
    nats of the best predictor that knows the task. Both belong to the position that predicts.
    """

    tokens: Int[np.ndarray, "sequence position"]
    predictable: Bool[np.ndarray, "sequence predicting"]
    optimal: Float[np.ndarray, "sequence predicting"]

    @property
    def optimal_loss(self) -> float:
        """The lowest mean loss that can be expected on these sequences."""
        return float(self.optimal.mean())

    def evaluation_text(self, name: str) -> EvaluationText:
        """Return what the model sees of the sequences, each standing for a document."""
        count, length = len(self.tokens), self.tokens.shape[1] - 1
        documents = tuple(f"{name} {number}" for number in range(count))
        return EvaluationText(
            name, self.tokens[:, :-1], np.full(count, length), documents, start=True
        )


@final
@dataclass(frozen=True)
class BigramBackcopy:
    """A Markov chain in which a trigger token makes the token before it come again.

    Guo et al., 2410.13835: after an ordinary token the next is drawn from its row of a transition
    matrix, after a trigger it is the token before the trigger. Token 0 starts every sequence,
    then come the triggers, then the ordinary tokens; the first token drawn is ordinary, so no
    trigger follows a trigger. The share of draws that are triggers is fixed here, where the
    authors take it from a text; rows are drawn from a Dirichlet of the given concentration.
    Called with a step it gives the batch of that step.

    Raises
    ------
    ValueError
        The triggers leave fewer than two ordinary tokens, or `trigger_share` does not lie strictly
        between 0 and 1.
    """

    vocabulary: int = 64
    triggers: int = 3
    length: int = 128
    batch: int = 32
    seed: int = 0
    trigger_share: float = 0.15
    concentration: float = 0.2

    def __post_init__(self) -> None:
        if not 1 <= self.triggers <= self.vocabulary - 3:
            raise ValueError(
                "triggers must leave the start and two ordinary tokens, got "
                f"triggers={self.triggers}, vocabulary={self.vocabulary}."
            )
        if not 0 < self.trigger_share < 1:
            raise ValueError(f"trigger_share must lie between 0 and 1, got {self.trigger_share}.")

    @cached_property
    def transitions(self) -> Float[np.ndarray, "token successor"]:
        """The probability of each successor of the start and of the ordinary tokens.

        The rows of triggers are zero: what follows them is no draw.
        """
        ordinary = self.vocabulary - 1 - self.triggers
        draw = np.random.default_rng((self.seed, self.vocabulary, self.triggers))
        rows = np.zeros((self.vocabulary, self.vocabulary))
        trigger, rest = slice(1, 1 + self.triggers), slice(1 + self.triggers, None)
        rows[rest, trigger] = self.trigger_share / self.triggers
        shape = np.full(ordinary, self.concentration)
        rows[rest, rest] = (1 - self.trigger_share) * draw.dirichlet(shape, size=ordinary)
        rows[START, rest] = 1 / ordinary
        return rows

    def __call__(self, step: int, order: int = 0) -> Int[np.ndarray, "sequence position"]:
        """Return the training sequences of a step, one token longer than the model sees.

        `order` tells trainings of one task apart that see other sequences.
        """
        return self._draw(_training(self.seed, step, order), self.batch).tokens

    def sample(self, sequences: int) -> TaskBatch:
        """Return sequences that no training step gives."""
        return self._draw(np.random.default_rng((self.seed, _TEST)), sequences)

    def _draw(self, draw: np.random.Generator, sequences: int) -> TaskBatch:
        tokens = np.zeros((sequences, self.length + 1), dtype=np.int64)
        limits = self.transitions.cumsum(1)
        limits[:, -1] = np.maximum(limits[:, -1], 1.0)
        for place in range(1, self.length + 1):
            now = tokens[:, place - 1]
            drawn = (draw.random(sequences)[:, None] >= limits[now]).sum(1)
            tokens[:, place] = np.where(self._triggers(now), tokens[:, place - 2], drawn)
        rows = self.transitions
        surprise = -np.log(rows, where=rows > 0, out=np.zeros_like(rows))
        before = tokens[:, :-1]
        return TaskBatch(tokens, self._triggers(before), (rows * surprise).sum(1)[before])

    def _triggers(self, tokens: Int[np.ndarray, "..."]) -> Bool[np.ndarray, "..."]:
        return (tokens >= 1) & (tokens <= self.triggers)


@final
@dataclass(frozen=True)
class RepeatedBlock:
    """A block of random tokens that repeats: from the second round on everything is predictable.

    Token 0 starts every sequence; the tokens of a block are independent and uniform. A `period`
    of one is a text of one repeated token. Called with a step it gives the batch of that step.

    Raises
    ------
    ValueError
        `vocabulary` is less than 3, or `period` is less than 1 or not less than `length`.
    """

    vocabulary: int = 64
    period: int = 32
    length: int = 128
    batch: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        if self.vocabulary < 3 or not 1 <= self.period < self.length:
            raise ValueError(
                "vocabulary must be at least 3 and period at least 1 and less than length, got "
                f"vocabulary={self.vocabulary}, period={self.period}, length={self.length}."
            )

    def __call__(self, step: int, order: int = 0) -> Int[np.ndarray, "sequence position"]:
        """Return the training sequences of a step, one token longer than the model sees.

        `order` tells trainings of one task apart that see other sequences.
        """
        return self._draw(_training(self.seed, step, order), self.batch).tokens

    def sample(self, sequences: int) -> TaskBatch:
        """Return sequences that no training step gives."""
        return self._draw(np.random.default_rng((self.seed, _TEST)), sequences)

    def _draw(self, draw: np.random.Generator, sequences: int) -> TaskBatch:
        block = draw.integers(1, self.vocabulary, size=(sequences, self.period))
        rounds = -(-self.length // self.period)
        tokens = np.tile(block, (1, rounds))[:, : self.length]
        tokens = np.concatenate([np.full((sequences, 1), START), tokens], axis=1)
        known = np.tile(np.arange(self.length) >= self.period, (sequences, 1))
        return TaskBatch(tokens, known, np.where(known, 0.0, np.log(self.vocabulary - 1)))


def _training(seed: int, step: int, order: int) -> np.random.Generator:
    return np.random.default_rng((seed, _TRAIN, step, *([order] if order else ())))


Task = BigramBackcopy | RepeatedBlock

TASKS: dict[str, type[Task]] = {
    "bigram-backcopy": BigramBackcopy,
    "repeated-block": RepeatedBlock,
}


def task_tokenizer(task: Task) -> Tokenizer:
    """Return a tokenizer that gives the tokens of a task names: start, triggers and the rest."""
    triggers = task.triggers if isinstance(task, BigramBackcopy) else 0
    names = ["<start>", *(f"<copy{number}>" for number in range(1, triggers + 1))]
    names += [f"w{number}" for number in range(len(names), task.vocabulary)]
    return Tokenizer(models.WordLevel({name: place for place, name in enumerate(names)}, names[0]))
