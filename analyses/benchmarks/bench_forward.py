"""What does measuring a model cost beside running it?

A whole forward pass with the primary set of statistics, on a model of GPT-2 small's shape, is
timed against the same model's own SDPA forward, in interleaved pairs within one process; the
figure is the median of the paired ratios. Memory is the growth of the process's peak beyond that
of the plain forward, in a process of its own. Weights are random: neither depends on them.

The plain pass forms the logits of the whole text, as the model does. The measured pass needs each
token's loss alone and forms them a part at a time; what that saves pays for much of the measuring.

    python -m dva_lens.analyses.benchmarks.bench_forward [--json] [--pairs 7]
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from dva_lens.measuring import measure

from .timing import Run, answered, asking, paired, peak_growth


@final
@dataclass(frozen=True)
class PassCase:
    """A shape, and the bounds that measuring it has to keep."""

    length: int
    layers: int
    ratio: float
    extra_mib: float


@final
@dataclass(frozen=True)
class PassOutcome:
    """What a case took: seconds of both passes, their ratio, and memory beyond the plain pass."""

    length: int
    layers: int
    plain_seconds: float
    measured_seconds: float
    ratio: float
    ratio_bound: float
    extra_mib: float
    extra_mib_bound: float
    threads: int
    backend: str
    pairs: Sequence[tuple[float, float]]

    @property
    def holds(self) -> bool:
        """Whether both bounds are kept."""
        return self.ratio <= self.ratio_bound and self.extra_mib <= self.extra_mib_bound


CASES = (PassCase(1024, 12, 1.15, 100.0), PassCase(4096, 2, 1.3, 100.0))
SMALLEST = PassCase(16, 1, 0.0, 0.0)


def model_of(case: PassCase) -> GPT2LMHeadModel:
    """Return a model of GPT-2 small's width with as many layers and positions as asked for."""
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(n_layer=case.layers, n_positions=case.length)).eval()
    model.set_attn_implementation("sdpa")
    return model


def passes(case: PassCase, backend: str) -> tuple[Run, Run]:
    """Return the plain pass and the measured one, over the same tokens."""
    model = model_of(case)
    ids = np.random.default_rng(0).integers(0, model.config.vocab_size, (1, case.length))
    tokens = torch.as_tensor(ids)

    def plain() -> None:
        with torch.no_grad():
            model(tokens, use_cache=False)

    def measured() -> None:
        measure(model, ids, backend=backend)

    return plain, measured


def prepared(case: PassCase, backend: str) -> Run:
    """Return a measured pass, after everything is loaded and plain passes have had their peak."""
    plain, measured = passes(case, backend)
    passes(SMALLEST, backend)[1]()
    for _ in range(2):
        plain()
    return measured


def outcome(case: PassCase, backend: str, pairs: int, clock: str) -> PassOutcome:
    """Run one case."""
    times = paired(*passes(case, backend), pairs, clock=clock)
    return PassOutcome(
        length=case.length,
        layers=case.layers,
        plain_seconds=times.baseline,
        measured_seconds=times.contender,
        ratio=times.ratio,
        ratio_bound=case.ratio,
        extra_mib=peak_growth(prepared, case, backend),
        extra_mib_bound=case.extra_mib,
        threads=torch.get_num_threads(),
        backend=backend,
        pairs=times.pairs,
    )


def table(outcomes: list[PassOutcome]) -> list[str]:
    """Return outcomes as lines of text."""
    lines = [
        "  tokens  layers  plain [s]  measured [s]   ratio  bound  extra [MiB]  bound",
    ]
    lines += [
        f"  {each.length:6d}  {each.layers:6d}  {each.plain_seconds:9.3f}"
        f"  {each.measured_seconds:12.3f}  {each.ratio:6.3f}  {each.ratio_bound:5.2f}"
        f"  {each.extra_mib:11.1f}  {each.extra_mib_bound:5.0f}"
        f"  {'holds' if each.holds else 'BROKEN'}"
        for each in outcomes
    ]
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON; return 1 where a bound is broken and `--check` asks."""
    parser = asking(__doc__, pairs=7)
    parser.add_argument("--backend", default="auto")
    chosen = parser.parse_args(arguments)
    outcomes = [outcome(case, chosen.backend, chosen.pairs, chosen.clock) for case in CASES]
    return answered(outcomes, table(outcomes), chosen)


if __name__ == "__main__":
    sys.exit(main())
