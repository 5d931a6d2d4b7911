"""How answers to a question with a known answer are written down: as a table, and as a page."""

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import final

import torch

SOLVED = 0.9
MORE_THAN_EVEN = 2.0
BASELINE = "transformer"
COLUMNS = (
    *("preset", "theory", "steps", "copied", "excess", "parked"),
    *("at triggers", "even", "mass", "drain", "sink", "key"),
)


@final
@dataclass(frozen=True)
class Answer:
    """What became of one training of a preset.

    `copied` is the share of successors of triggers predicted right, `bigram_excess` the loss
    elsewhere beyond the best possible, in nats. The head is the one that parks most:
    `parked` and `parked_at_triggers` are its mean weights on the start token at queries that have
    nothing to copy and at triggers, `even` what uniform attention would give, `mass` what all its
    weights come to at queries that have nothing to copy, and `drain` the norm of the start
    token's value after W_O over the median of the others. `key` names everything that decided the
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
    def solved(self) -> bool:
        """Whether the model copies with every seed."""
        return all(each.solved for each in self.answers)

    @property
    def parked(self) -> float:
        """Mean weight that is parked on the start token."""
        return mean(each.parked for each in self.answers)

    @property
    def least(self) -> float:
        """Least weight that is parked with any seed."""
        return min(each.parked for each in self.answers)

    @property
    def most(self) -> float:
        """Most weight that is parked with any seed."""
        return max(each.parked for each in self.answers)

    @property
    def sink(self) -> bool:
        """Whether more than twice what uniform attention gives is parked, with every seed."""
        return all(each.parked > MORE_THAN_EVEN * each.even for each in self.answers)

    @property
    def drained(self) -> bool:
        """Whether the start token's value is smaller than the median, with every seed."""
        return all(each.drain < 1 for each in self.answers)


@final
@dataclass(frozen=True)
class Made:
    """How a page was made."""

    seeds: tuple[int, ...]
    seconds: float


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


def table(answers: Sequence[Answer]) -> str:
    """Return a line per preset."""
    lines = [
        f"| {' | '.join(COLUMNS)} |",
        f"|{'---|' * len(COLUMNS)}",
    ]
    for row in rows(answers):
        every = row.answers
        cells = (
            f"`{row.preset}`",
            "sink" if row.expects_sink else "weaker",
            str(every[0].steps),
            f"{min(each.copied for each in every):.2f}",
            f"{max(each.bigram_excess for each in every):.2f}",
            _spread(every, lambda each: each.parked),
            f"{mean(each.parked_at_triggers for each in every):.2f}",
            f"{mean(each.even for each in every):.2f}",
            f"{mean(each.mass for each in every):.2f}",
            _spread(every, lambda each: each.drain),
            ("yes, drained" if row.drained else "yes") if row.sink else "no",
            f"`{every[0].key}`",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def page(answers: Sequence[Answer], made: Made) -> str:
    """Return the table with what it asks, how it was made, and what it says."""
    return "\n".join((INTRODUCTION, _how(made), "", table(answers), "", *_reading(answers), ""))


INTRODUCTION = f"""# A question with a known answer

Made by `python -m dva_lens.analyses.benchmarks.known_answers --out docs/known_answers.md`.

Every preset is trained on Bigram-Backcopy (Guo et al. 2024, 2410.13835): tokens follow a Markov
chain, and after a trigger the token before it comes again. A head that copies has nothing to do
at all other tokens. Where weights must sum to one and nothing gates the output, theory expects it
to park them on the start token, and the value of that token to be drained; where a query may
attend to nothing, or a gate may close, it expects less.

*Copied* is the least share of triggers answered rightly with any seed, *excess* the most loss
elsewhere beyond the best possible, in nats. Of the head that parks most: *parked* is its mean
weight on the start token at queries with nothing to copy, *at triggers* the same at triggers,
*even* what uniform attention would give, *mass* what its weights sum to, and *drain* the norm of
the start token's value after the output projection over the median of the others. Ranges are the
least and the most of the seeds. *Sink* says whether more than {MORE_THAN_EVEN:.0f} times *even* is
parked with every seed, and *drained* whether *drain* is below 1 as well. What does not copy is
trained anew for longer. *Key* names the configuration, the recipe and the task of a row; a test
finds rows whose preset has changed since.
"""


def _how(made: Made) -> str:
    seeds = ", ".join(map(str, made.seeds))
    threads = f"{torch.get_num_threads()} of {os.cpu_count()} threads"
    versions = f"PyTorch {torch.__version__}, Python {platform.python_version()}"
    return (
        f"Seeds {seeds}; {made.seconds / 60:.0f} minutes of processor time on {threads} "
        f"({_processor()}), {versions}.\nOther hardware rounds otherwise, and single numbers "
        f"differ."
    )


def _processor() -> str:
    source = Path("/proc/cpuinfo")
    if source.exists():
        for line in source.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _reading(answers: Sequence[Answer]) -> Iterator[str]:
    found = last(answers)
    yield "## What it says"
    yield ""
    steps = answers[0].steps
    first = [row for row in rows(answers) if row.answers[0].steps == steps]
    yield f"- After {steps} steps {_count(first, lambda row: row.solved)} copy with every seed."
    slow = [row for row in found if row.answers[0].steps != steps]
    if slow:
        more = slow[0].answers[0].steps
        yield f"- Of the others, after {more} steps {_count(slow, lambda row: row.solved)} do."
    expected = [row for row in found if row.expects_sink]
    yield f"- Where theory expects a sink, {_count(expected, lambda row: row.sink)} show one."
    sinks = [row for row in expected if row.sink]
    yield f"- Of those, {_count(sinks, lambda row: row.drained)} have a drained start token."
    baseline = next((row for row in found if row.preset == BASELINE), None)
    weaker = [row for row in found if not row.expects_sink]
    if baseline is not None and weaker:
        less = _count(weaker, lambda row: row.parked < baseline.parked)
        distinct = _count(weaker, lambda row: row.most < baseline.least)
        yield f"- Where it expects less, {less} park less than `{BASELINE}` on average;"
        yield f"  the ranges do not overlap for {distinct}."
    yield ""
    yield (
        "One task, one small size, few steps, and the head that parks most is looked at; the "
        "ranges are\nno intervals. This checks that models and statistics do what they should; it "
        "claims nothing about\nlarger models."
    )


def _count(found: Sequence[PresetAnswers], holds: Callable[[PresetAnswers], bool]) -> str:
    """Return how many presets it holds for, and for which it does not."""
    others = [f"`{row.preset}`" for row in found if not holds(row)]
    text = f"{len(found) - len(others)} of {len(found)} presets"
    return f"{text} (not {', '.join(others)})" if others else text


def _spread(every: Sequence[Answer], of: Callable[[Answer], float]) -> str:
    numbers = [of(each) for each in every]
    if len(numbers) == 1:
        return f"{numbers[0]:.2f}"
    return f"{mean(numbers):.2f} ({min(numbers):.2f}–{max(numbers):.2f})"
