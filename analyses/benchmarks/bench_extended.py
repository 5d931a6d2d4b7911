"""How long does the extended set take on a model of GPT-2's shape, for 1,024 tokens?

The model has the shape of GPT-2 small (12 layers of width 768, 12 heads) and random weights: the
cost does not depend on them. `measure` runs with all statistics, as `dva-lens measure --extended`
asks for them, on one sequence; the primary set alone, the default, stands beside it.

    python -m dva_lens.analyses.benchmarks.bench_extended [--check] [--out F.json]
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from dva_lens.measuring import measure
from dva_lens.statistics.table import EXTENDED, RECORDED

from .timing import answered, asking, paired

LENGTH = 1024
THREADS = 2
SECONDS = 15.0


@final
@dataclass(frozen=True)
class ExtendedOutcome:
    """Median seconds of the primary and of the extended set, and every pair."""

    primary_seconds: float
    extended_seconds: float
    ratio: float
    seconds_bound: float
    pairs: Sequence[tuple[float, float]]
    threads: int

    @property
    def holds(self) -> bool:
        """Whether the bound is kept."""
        return self.extended_seconds <= self.seconds_bound


def model_of() -> GPT2LMHeadModel:
    """Return a model of the shape of GPT-2 small."""
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config()).eval()


def outcome(model: GPT2LMHeadModel, length: int, pairs: int, clock: str) -> ExtendedOutcome:
    """Time both sets on one sequence of so many tokens."""
    ids = np.random.default_rng(0).integers(0, model.config.vocab_size, (1, length))

    def primary() -> None:
        measure(model, ids)

    def extended() -> None:
        measure(model, ids, statistics=(*RECORDED, *EXTENDED))

    times = paired(primary, extended, pairs, clock=clock)
    return ExtendedOutcome(
        primary_seconds=times.baseline,
        extended_seconds=times.contender,
        ratio=times.ratio,
        seconds_bound=SECONDS,
        pairs=times.pairs,
        threads=torch.get_num_threads(),
    )


def table(found: ExtendedOutcome) -> list[str]:
    """Return an outcome as lines of text."""
    state = "holds" if found.holds else "BROKEN"
    return [
        "  primary [s]  extended [s]  bound [s]",
        f"  {found.primary_seconds:11.2f}  {found.extended_seconds:12.2f}"
        f"  {found.seconds_bound:9.1f}  {state}",
    ]


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON; return 1 where the bound is broken and `--check` asks."""
    chosen = asking(__doc__, pairs=3).parse_args(arguments)
    torch.set_num_threads(THREADS)
    found = outcome(model_of(), LENGTH, chosen.pairs, chosen.clock)
    return answered([found], table(found), chosen)


if __name__ == "__main__":
    sys.exit(main())
