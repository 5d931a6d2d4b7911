"""What do values that depend on the pair cost, in blocks and formed in full?

Forward and backward of one attention with pairwise values, causal, one head: in blocks that are
recomputed for the gradients, as the models run it, against the specification, which forms every
value of N x N x d and lets torch differentiate.

    python -m dva_lens.analyses.benchmarks.bench_dva [--pairs 5] [--json] [--check]
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch

from dva_lens.kernels.attention import attend
from dva_lens.kernels.reference import attention as reference
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Pairwise

from .timing import Run, answered, asking, paired, peak_growth

WAYS = {"blocked": attend, "materialised": reference.attend}


@final
@dataclass(frozen=True)
class BlockCase:
    """A shape, and by how much blocks have to be faster and smaller there."""

    batch: int
    length: int
    width: int
    faster: float | None = None
    smaller: float | None = None


@final
@dataclass(frozen=True)
class BlockOutcome:
    """What both ways took, and how many times faster and smaller blocks are."""

    batch: int
    length: int
    width: int
    blocked_seconds: float
    materialised_seconds: float
    faster: float
    faster_bound: float | None
    blocked_mib: float
    materialised_mib: float
    smaller: float
    smaller_bound: float | None
    threads: int
    pairs: Sequence[tuple[float, float]]

    @property
    def holds(self) -> bool:
        """Whether the bounds, if there are any, are kept."""
        return self.faster >= (self.faster_bound or 0) and self.smaller >= (
            self.smaller_bound or 0
        )


CASES = (
    BlockCase(16, 128, 128),
    BlockCase(4, 256, 256),
    BlockCase(1, 512, 256),
    BlockCase(1, 1024, 256, faster=4.0, smaller=30.0),
)


def prepare(way: str, case: BlockCase) -> Run:
    """Return a call of one way, forward and backward."""
    torch.manual_seed(0)
    shape = (case.batch, 1, case.length, case.width)
    query, key, a, b = (torch.randn(shape).requires_grad_() for _ in range(4))
    push, weights = torch.randn(shape), Rule(scale=case.width**-0.5)

    def run() -> None:
        out = WAYS[way](query, key, Pairwise(a, b), weights)
        torch.autograd.grad(out, (query, key, a, b), push)

    return run


def warmed(way: str, case: BlockCase) -> Run:
    """Return the same call in a process that has loaded whatever a first call loads."""
    prepare(way, BlockCase(1, 4, 4))()
    return prepare(way, case)


def outcome(case: BlockCase, pairs: int, clock: str) -> BlockOutcome:
    """Run one case."""
    times = paired(prepare("blocked", case), prepare("materialised", case), pairs, clock=clock)
    blocked, materialised = (peak_growth(warmed, way, case) for way in WAYS)
    return BlockOutcome(
        batch=case.batch,
        length=case.length,
        width=case.width,
        blocked_seconds=times.baseline,
        materialised_seconds=times.contender,
        faster=times.ratio,
        faster_bound=case.faster,
        blocked_mib=blocked,
        materialised_mib=materialised,
        smaller=materialised / max(blocked, 0.1),
        smaller_bound=case.smaller,
        threads=torch.get_num_threads(),
        pairs=times.pairs,
    )


def table(outcomes: list[BlockOutcome]) -> list[str]:
    """Return outcomes as lines of text."""
    lines = [
        " batch  tokens  width  blocked [ms]  in full [ms]  faster  blocked [MiB]"
        "  in full [MiB]  smaller"
    ]
    lines += [
        f"{each.batch:6d}  {each.length:6d}  {each.width:5d}  {1e3 * each.blocked_seconds:12.1f}"
        f"  {1e3 * each.materialised_seconds:12.1f}  {each.faster:6.1f}  {each.blocked_mib:13.1f}"
        f"  {each.materialised_mib:13.1f}  {each.smaller:7.1f}{'' if each.holds else '  BROKEN'}"
        for each in outcomes
    ]
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON; return 1 where a bound is broken and `--check` asks."""
    parser = asking(__doc__, pairs=5)
    chosen = parser.parse_args(arguments)
    outcomes = [outcome(case, chosen.pairs, chosen.clock) for case in CASES]
    return answered(outcomes, table(outcomes), chosen)


if __name__ == "__main__":
    sys.exit(main())
