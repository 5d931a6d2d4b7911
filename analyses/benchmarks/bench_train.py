"""What does each preset cost, to train beside the plain transformer and to measure?

Both train through the public loop on the same random tokens, a few steps at a time and in turns;
the bound is on `dva` at the size of the quick study. Memory is what a few steps add to the peak of
a process of their own. Measuring, with all defaults, is timed against a forward pass of the same
model over the same tokens. `--presets family` takes every mechanism of the study `zoo`.

    python -m dva_lens.analyses.benchmarks.bench_train [--presets dva gated] [--pairs 5] [--check]
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from dva_lens.measuring import measure
from dva_lens.models.costs import parameters
from dva_lens.models.decoder import build
from dva_lens.models.presets import PRESETS, preset
from dva_lens.models.size import Size
from dva_lens.study.builtin import FAMILY, STUDIES
from dva_lens.training.loop import train
from dva_lens.training.recipe import Recipe

from .timing import Run, answered, asking, paired, peak_growth

BASELINE, BOUNDED, BOUND = "transformer", "dva", 2.5
EVERY = "family"
STEPS = 3
DEFAULT = ("dva", "dva-separable", "dva-static", "resformer-identity", "svformer", "gated")


@final
@dataclass(frozen=True)
class TrainingOutcome:
    """What steps of a preset took, beside those of the plain transformer."""

    preset: str
    parameters: int
    tokens_per_second: float
    ratio: float
    bound: float | None
    peak_mib: float
    measured_ratio: float
    threads: int
    pairs: Sequence[tuple[float, float]]

    @property
    def holds(self) -> bool:
        """Whether the bound, if there is one, is kept."""
        return self.bound is None or self.ratio <= self.bound


def recipe_of(study: dict[str, Any]) -> Recipe:
    """Return the recipe of a study, cut to a few steps."""
    given = {**study["recipe"], "steps": STEPS, "warmup": 1, "eval_every": STEPS}
    return Recipe(length=study["size"]["context"], **{**given, "measurements": 1})


def prepare(name: str, size: Size, recipe: Recipe) -> Run:
    """Return a call that trains a preset for a few steps."""
    tokens = np.random.default_rng(0).integers(
        size.vocabulary, size=(STEPS, recipe.batch, recipe.length + 1)
    )
    model = build(preset(name, size), seed=0)
    return lambda: train(model, lambda step: tokens[step], recipe)


def warmed(name: str, size: Size, recipe: Recipe) -> Run:
    """Return the same call in a process that has loaded whatever a first call loads."""
    small = Size(layers=1, width=16, heads=2, vocabulary=16, context=8)
    prepare(name, small, Recipe.from_dict({**recipe.to_dict(), "batch": 1, "length": 8}))()
    return prepare(name, size, recipe)


def passes(name: str, size: Size) -> tuple[Run, Run]:
    """Return a plain pass over as many tokens as a preset has room for, and a measured one."""
    model = build(preset(name, size), seed=0).eval()
    ids = np.random.default_rng(0).integers(size.vocabulary, size=(1, size.context))
    tokens = torch.as_tensor(ids)

    def plain() -> None:
        with torch.no_grad():
            model(tokens)

    return plain, lambda: measure(model, ids)


def outcomes_of(
    names: Sequence[str], pairs: int, *, length: int, clock: str = "wall"
) -> list[TrainingOutcome]:
    """Time every preset beside the baseline at the size of the quick study.

    `length` is how many tokens are measured.
    """
    study = STUDIES["quick"]
    size, recipe = Size(**study["size"]), recipe_of(study)
    long = Size(**{**study["size"], "context": length})
    found = []
    for name in names:
        ways = prepare(BASELINE, size, recipe), prepare(name, size, recipe)
        times = paired(*ways, pairs, clock=clock)
        found.append(
            TrainingOutcome(
                preset=name,
                parameters=parameters(preset(name, size)),
                tokens_per_second=STEPS * recipe.batch * recipe.length / times.contender,
                ratio=times.ratio,
                bound=BOUND if name == BOUNDED else None,
                peak_mib=peak_growth(warmed, name, size, recipe),
                measured_ratio=paired(*passes(name, long), pairs, clock=clock).ratio,
                threads=torch.get_num_threads(),
                pairs=times.pairs,
            )
        )
    return found


def table(outcomes: Sequence[TrainingOutcome]) -> list[str]:
    """Return outcomes as lines of text."""
    return [
        f"{'preset':24s}  parameters  tokens/s  step : {BASELINE}  peak [MiB]  measured : plain",
        *(
            f"{each.preset:24s}  {each.parameters:10,d}  {each.tokens_per_second:8,.0f}"
            f"  {each.ratio:18.2f}  {each.peak_mib:10.1f}  {each.measured_ratio:16.2f}"
            f"{'' if each.holds else f'  BROKEN (bound {each.bound})'}"
            for each in outcomes
        ),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON; return 1 where the bound is broken and `--check` asks."""
    parser = asking(__doc__, pairs=5)
    parser.add_argument(
        "--presets", nargs="+", default=DEFAULT, choices=[*PRESETS, EVERY], metavar="PRESET"
    )
    parser.add_argument("--length", type=int, default=1024, help="tokens that are measured")
    chosen = parser.parse_args(arguments)
    names = dict.fromkeys(
        name for each in chosen.presets for name in (FAMILY if each == EVERY else [each])
    )
    outcomes = outcomes_of(list(names), chosen.pairs, length=chosen.length, clock=chosen.clock)
    return answered(outcomes, table(outcomes), chosen)


if __name__ == "__main__":
    sys.exit(main())
