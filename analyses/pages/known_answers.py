"""How answers to a question with a known answer are written down: as a table, and as a page."""

import os
import platform
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from statistics import mean
from typing import final

import torch

from .answers import MORE_THAN_EVEN, SOLVED, Answer, PresetAnswers, rows

BASELINE = "transformer"
COLUMNS = (
    *("preset", "theory", "steps", "copied", "excess", "parked"),
    *("at triggers", "even", "mass", "drain", "sink", "key"),
)
_HEAD = f"| {' | '.join(COLUMNS)} |"
_UNDER = f"|{'---|' * len(COLUMNS)}"


@final
@dataclass(frozen=True)
class WrittenRow:
    """A row of the table as it is written, and what it says."""

    text: str

    @property
    def cells(self) -> dict[str, str]:
        """The cells by the names of their columns."""
        cells = (each.strip() for each in self.text.strip("|").split(" | "))
        return dict(zip(COLUMNS, cells, strict=True))

    @property
    def preset(self) -> str:
        """The name of the preset."""
        return self.cells["preset"].strip("`")

    @property
    def steps(self) -> int:
        """How many steps it was trained."""
        return int(self.cells["steps"])

    @property
    def solved(self) -> bool:
        """Whether the model copies with every seed."""
        return float(self.cells["copied"]) >= SOLVED

    @property
    def expects_sink(self) -> bool:
        """Whether theory expects a sink."""
        return self.cells["theory"] == "sink"

    @property
    def attends(self) -> bool:
        """Whether the model has attention."""
        return self.cells["theory"] != "none"

    @property
    def sink(self) -> bool:
        """Whether more than twice what uniform attention gives is parked, with every seed."""
        return self.cells["sink"].startswith("yes")

    @property
    def drained(self) -> bool:
        """Whether the start token's value is smaller than the median, with every seed."""
        return self.cells["sink"].endswith("drained")

    @property
    def parked(self) -> tuple[float, float, float]:
        """The mean, the least and the most weight that is parked on the start token."""
        found = [float(each) for each in re.findall(r"[\d.]+", self.cells["parked"])]
        return found[0], found[min(1, len(found) - 1)], found[-1]


@final
@dataclass(frozen=True)
class Made:
    """How a page was made."""

    seeds: tuple[int, ...]
    seconds: float


def table(answers: Sequence[Answer]) -> str:
    """Return a line per preset."""
    lines = [_HEAD, _UNDER]
    for row in rows(answers):
        every = row.answers
        cells = (
            f"`{row.preset}`",
            ("sink" if row.expects_sink else "weaker") if row.attends else "none",
            str(every[0].steps),
            f"{min(each.copied for each in every):.2f}",
            f"{max(each.bigram_excess for each in every):.2f}",
            _spread(every, lambda each: each.parked),
            _shown(mean(each.parked_at_triggers for each in every)),
            _shown(mean(each.even for each in every)),
            _shown(mean(each.mass for each in every)),
            _spread(every, lambda each: each.drain),
            _sink(row),
            f"`{every[0].key}`",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def page(answers: Sequence[Answer], made: Made) -> str:
    """Return the table with what it asks, how it was made, and what it says."""
    lines = [WrittenRow(each) for each in table(answers).splitlines()[2:]]
    return _page(lines, _how(made))


def extended(before: str, answers: Sequence[Answer], made: Made, order: Sequence[str]) -> str:
    """Return a page with the rows of some presets replaced or added, and the others kept.

    `order` names all presets; what the page says is read off its rows again.

    Raises
    ------
    ValueError
        The page does not hold a table as it is written here.
    """
    opening, start, rest = before.partition("\nSeeds ")
    how, head, rest = rest.partition(f"\n\n{_HEAD}\n")
    if not (opening and start and head):
        raise ValueError("The page holds no table of answers; write it anew without adding to it.")
    new = {each.preset for each in answers}
    old = [WrittenRow(each) for each in rest.partition("\n\n")[0].splitlines()[1:]]
    lines = [each for each in old if each.preset not in new]
    lines += [WrittenRow(each) for each in table(answers).splitlines()[2:]]
    lines.sort(key=lambda each: (each.steps, order.index(each.preset)))
    kept = [each for each in how.split("\n\n") if not any(f"`{name}`" in each for name in new)]
    names = ", ".join(f"`{name}`" for name in dict.fromkeys(each.preset for each in answers))
    kept.append(f"Added since, {names}: {_how(made)}")
    return _page(lines, "Seeds " + "\n\n".join(kept))


def _page(lines: Sequence["WrittenRow"], how: str) -> str:
    rows = "\n".join((_HEAD, _UNDER, *(each.text for each in lines)))
    return "\n".join((INTRODUCTION, how, "", rows, "", *_reading(lines), ""))


INTRODUCTION = f"""# A question with a known answer

Made by `python -m dva_lens.analyses.benchmarks.known_answers --out docs/known_answers.md`.

Every preset is trained on Bigram-Backcopy (Guo et al. 2024, 2410.13835): tokens follow a Markov
chain, and after a trigger the token before it comes again. A head that copies has nothing to do
at all other tokens. Where weights must sum to one and nothing gates the output, theory expects it
to park them on the start token, and the value of that token to be drained; where a query may
attend to nothing, or a gate may close, it expects less, and so it does of scores that training
does not move or that no token has a say in; scores that are all alike park what *even* says.
Where distance takes from weights, less is left for a start token far away; where it takes from
scores alone, they can be learned against it. In a window, most queries do not see it at all. A
model whose layers do not attend has nowhere to park, and no number but how it copies.

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


def _reading(lines: Sequence[WrittenRow]) -> Iterator[str]:
    found = list({each.preset: each for each in lines}.values())
    yield "## What it says"
    yield ""
    steps = lines[0].steps
    first = [each for each in lines if each.steps == steps]
    yield f"- After {steps} steps {_count(first, lambda each: each.solved)} copy with every seed."
    slow = [each for each in found if each.steps != steps]
    if slow:
        more = slow[0].steps
        yield f"- Of the others, after {more} steps {_count(slow, lambda each: each.solved)} do."
    expected = [each for each in found if each.expects_sink]
    yield f"- Where theory expects a sink, {_count(expected, lambda each: each.sink)} show one."
    sinks = [each for each in expected if each.sink]
    yield f"- Of those, {_count(sinks, lambda each: each.drained)} have a drained start token."
    baseline = next((each.parked for each in found if each.preset == BASELINE), None)
    weaker = [each for each in found if each.attends and not each.expects_sink]
    if baseline is not None and weaker:
        less = _count(weaker, lambda each: each.parked[0] < baseline[0])
        distinct = _count(weaker, lambda each: each.parked[2] < baseline[1])
        yield f"- Where it expects less, {less} park less than `{BASELINE}` on average;"
        yield f"  the ranges do not overlap for {distinct}."
    yield ""
    yield (
        "One task, one small size, few steps, and the head that parks most is looked at; the "
        "ranges are\nno intervals. This checks that models and statistics do what they should; it "
        "claims nothing about\nlarger models."
    )


def _count(found: Sequence[WrittenRow], holds: Callable[[WrittenRow], bool]) -> str:
    """Return how many presets it holds for, and for which it does not."""
    others = [f"`{row.preset}`" for row in found if not holds(row)]
    text = f"{len(found) - len(others)} of {len(found)} presets"
    return f"{text} (not {', '.join(others)})" if others else text


def _shown(number: float) -> str:
    return "–" if isnan(number) else f"{number:.2f}"


def _sink(row: PresetAnswers) -> str:
    if not row.attends:
        return "–"
    return ("yes, drained" if row.drained else "yes") if row.sink else "no"


def _spread(every: Sequence[Answer], of: Callable[[Answer], float]) -> str:
    numbers = [of(each) for each in every]
    if len(numbers) == 1 or isnan(numbers[0]):
        return _shown(numbers[0])
    return f"{mean(numbers):.2f} ({min(numbers):.2f}–{max(numbers):.2f})"
