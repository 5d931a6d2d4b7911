"""What does measuring a training as it goes cost, beside the training itself?

A model trains for some hundred steps through the public loop and is measured at log-spaced steps
into an archive, as `dva_lens.follow` does it. Each pair is the time that the steps took and that
time with the measurements: both are of one training, so whatever else the machine does falls on
both.

    python -m dva_lens.analyses.benchmarks.bench_callback [--pairs 3] [--steps 500] [--check]
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import nn

from dva_lens.models.decoder import build
from dva_lens.models.presets import preset
from dva_lens.models.size import Size
from dva_lens.study.builtin import STUDIES
from dva_lens.study.following import follow
from dva_lens.training.loop import train
from dva_lens.training.recipe import Recipe

from .timing import CLOCKS, PairedTimes, answered, asking

BOUND, FEWEST = 1.02, 8
PRESET, STEPS, MEASUREMENTS = "transformer", 500, 12


@final
@dataclass(frozen=True)
class CallbackOutcome:
    """What trainings took without and with the time of their measurements."""

    preset: str
    steps: int
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


def outcome_of(pairs: int, *, steps: int = STEPS, clock: str = "wall") -> CallbackOutcome:
    """Train the plain transformer of the quick study, and measure it as it goes."""
    size, recipe = Size(**STUDIES["quick"]["size"]), recipe_of(steps)
    times, counts = [], []
    for _ in range(pairs):
        seconds, measuring, count = _training(size, recipe, clock)
        times.append((seconds, seconds + measuring))
        counts.append((measuring, count))
    return CallbackOutcome(
        preset=PRESET,
        steps=steps,
        measurements=min(count for _, count in counts),
        milliseconds=1e3 * float(np.median([spent / count for spent, count in counts])),
        ratio=PairedTimes(times).ratio,
        bound=BOUND,
        threads=torch.get_num_threads(),
        pairs=times,
    )


def recipe_of(steps: int) -> Recipe:
    """Return the recipe of the quick study with another number of steps."""
    given = {**STUDIES["quick"]["recipe"], "steps": steps, "warmup": 1, "eval_every": steps}
    length = STUDIES["quick"]["size"]["context"]
    return Recipe(length=length, **{**given, "measurements": MEASUREMENTS})


def _training(size: Size, recipe: Recipe, clock: str) -> tuple[float, float, int]:
    """Train once; return the time of the steps, of the measurements, and how many there were."""
    draw, now = np.random.default_rng(0), CLOCKS[clock]
    tokens = draw.integers(size.vocabulary, size=(4, recipe.batch, recipe.length + 1))
    text = draw.integers(size.vocabulary, size=(4, size.context))
    model = build(preset(PRESET, size), seed=0)
    with tempfile.TemporaryDirectory() as folder:
        started = now()
        look = follow(model, Path(folder) / "runs", text, steps=recipe.steps)
        spent = [now() - started]

        def on_step(step: int, trained: nn.Module) -> None:
            del trained
            before = now()
            look(step)
            spent[0] += now() - before

        train(model, lambda step: tokens[step % len(tokens)], recipe, on_step=on_step)
        whole = now() - started
    return whole - spent[0], spent[0], len(look.measured)


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
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of each training")
    chosen = parser.parse_args(arguments)
    outcome = outcome_of(chosen.pairs, steps=chosen.steps, clock=chosen.clock)
    return answered([outcome], table(outcome), chosen)


if __name__ == "__main__":
    sys.exit(main())
