"""What does measuring a training as it goes cost, beside the training itself?

A training of 500 steps is measured at log-spaced steps into an archive, as `dva_lens.follow` does
it. Steps cost alike, so some of them are timed and stand for all; every measurement is timed, and
so are the start and the writing. A pair is the time of all steps, and that time with all of
measuring. Where a step takes a few milliseconds, measuring is most of a training: the model here,
of 2.7 million parameters over 2,048 tokens a step, is small and no toy.

    python -m dva_lens.analyses.benchmarks.bench_callback [--pairs 3] [--timed 100] [--check]
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch

from dva_lens.models.decoder import build
from dva_lens.models.presets import preset
from dva_lens.models.size import Size
from dva_lens.study.following import follow
from dva_lens.training.loop import train
from dva_lens.training.recipe import Recipe

from .timing import CLOCKS, PairedTimes, answered, asking

BOUND, FEWEST = 1.02, 8
PRESET, STEPS = "transformer", 500
SIZE = Size(layers=4, width=192, heads=4, vocabulary=2048, context=128)
BATCH, TIMED = 16, 100


@final
@dataclass(frozen=True)
class CallbackOutcome:
    """What trainings took without and with the time of their measurements."""

    preset: str
    steps: int
    timed: int
    measurements: int
    milliseconds: float
    ratio: float
    bound: float
    threads: int
    pairs: Sequence[tuple[float, float]]

    @property
    def holds(self) -> bool:
        """Whether measuring cost no more than it may, and happened often enough."""
        return self.ratio <= self.bound and self.measurements >= FEWEST


def outcome_of(pairs: int, *, timed: int = TIMED, clock: str = "wall") -> CallbackOutcome:
    """Train the plain transformer, and measure it as a training of 500 steps is measured."""
    times, spent, counts = [], [], []
    for _ in range(pairs):
        seconds, measuring, count = _training(timed, clock)
        times.append((seconds, seconds + measuring))
        spent.append(measuring / count)
        counts.append(count)
    return CallbackOutcome(
        preset=PRESET,
        steps=STEPS,
        timed=timed,
        measurements=min(counts),
        milliseconds=1e3 * float(np.median(spent)),
        ratio=PairedTimes(times).ratio,
        bound=BOUND,
        threads=torch.get_num_threads(),
        pairs=times,
    )


def _training(timed: int, clock: str) -> tuple[float, float, int]:
    """Return the time of all steps, that of all measurements, and how many these are."""
    draw, now = np.random.default_rng(0), CLOCKS[clock]
    tokens = draw.integers(SIZE.vocabulary, size=(4, BATCH, SIZE.context + 1))
    text = draw.integers(SIZE.vocabulary, size=(4, SIZE.context))
    model = build(preset(PRESET, SIZE), seed=0)
    recipe = Recipe(
        steps=timed, batch=BATCH, length=SIZE.context, warmup=1, eval_every=timed, measurements=1
    )
    started = now()
    train(model, lambda step: tokens[step % len(tokens)], recipe)
    seconds = (now() - started) * STEPS / timed
    with tempfile.TemporaryDirectory() as folder:
        started = now()
        look = follow(model, Path(folder) / "runs", text, steps=STEPS)
        for step in sorted(look.due):
            look(step)
        return seconds, now() - started, len(look.measured)


def table(outcome: CallbackOutcome) -> list[str]:
    """Return the outcome as lines of text."""
    broken = "" if outcome.holds else f"  BROKEN (bound {outcome.bound}, {FEWEST} measurements)"
    return [
        "preset       steps  measurements  ms each  ratio to the steps alone",
        f"{outcome.preset:11s}  {outcome.steps:5d}  {outcome.measurements:12d}  "
        f"{outcome.milliseconds:7.1f}  {outcome.ratio:.4f}{broken}",
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON; return 1 where the bound is broken and `--check` asks."""
    parser = asking(__doc__, pairs=3)
    parser.add_argument("--timed", type=int, default=TIMED, help="steps that are timed")
    chosen = parser.parse_args(arguments)
    outcome = outcome_of(chosen.pairs, timed=chosen.timed, clock=chosen.clock)
    return answered([outcome], table(outcome), chosen)


if __name__ == "__main__":
    sys.exit(main())
