"""What became of the trainings on a question with a known answer, one by one and by preset."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

SOLVED = 0.9
MORE_THAN_EVEN = 2.0


@final
@dataclass(frozen=True)
class Answer:
    """What became of one training of a preset.

    `copied` is the share of successors of triggers predicted right, `bigram_excess` the loss
    elsewhere beyond the best possible, in nats. The head is the one that parks most:
    `parked` and `parked_at_triggers` are its mean weights on the start token at queries that have
    nothing to copy and at triggers, `even` what uniform attention would give, `mass` what all its
    weights come to at queries that have nothing to copy, and `drain` the norm of the start
    token's value after W_O over the median of the others; all of them are NaN in a model that does
    not attend, and layer and head are -1. `key` names everything that decided the
    training of the first seed, so that a row whose preset has changed since can be found.
    """

    preset: str
    steps: int
    seed: int
    expects_sink: bool
    copied: float
    bigram_excess: float
    layer: int
    head: int
    parked: float
    parked_at_triggers: float
    even: float
    mass: float
    drain: float
    key: str = ""

    @property
    def solved(self) -> bool:
        """Say whether the model copies."""
        return self.copied >= SOLVED


@final
@dataclass(frozen=True)
class PresetAnswers:
    """What became of a preset over its seeds, after as many steps each."""

    answers: Sequence[Answer]

    @property
    def preset(self) -> str:
        """The name of the preset."""
        return self.answers[0].preset

    @property
    def expects_sink(self) -> bool:
        """Whether theory expects a sink."""
        return self.answers[0].expects_sink

    @property
    def attends(self) -> bool:
        """Whether the model has attention, and with it somewhere to park."""
        return self.answers[0].layer >= 0

    @property
    def solved(self) -> bool:
        """Whether the model copies with every seed."""
        return all(each.solved for each in self.answers)

    @property
    def sink(self) -> bool:
        """Whether more than twice what uniform attention gives is parked, with every seed."""
        return all(each.parked > MORE_THAN_EVEN * each.even for each in self.answers)

    @property
    def drained(self) -> bool:
        """Whether the start token's value is smaller than the median, with every seed."""
        return all(each.drain < 1 for each in self.answers)


def rows(answers: Sequence[Answer]) -> list[PresetAnswers]:
    """Return answers by preset and number of steps, in the order they came in."""
    kinds = dict.fromkeys((each.preset, each.steps) for each in answers)
    return [
        PresetAnswers([each for each in answers if (each.preset, each.steps) == kind])
        for kind in kinds
    ]


def last(answers: Sequence[Answer]) -> list[PresetAnswers]:
    """Return what became of each preset after the most steps it was given."""
    return list({row.preset: row for row in rows(answers)}.values())
