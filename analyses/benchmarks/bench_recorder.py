"""What does recording an attention cost beside computing it?

Attention alone, causal, 12 heads of width 64, one sequence: every recording backend leaves the
output and the whole summary (per query and per key, received mass included) and is timed against
torch's own fused attention, which leaves the output. `materialised` is the usual way: form the
pattern in full, then reduce it.

A model may say what is visible by a function alone. `masked` asks such a function, tile by tile,
for what `blocked` knows in closed form, and `masked window` for a window of 256 keys; both are
timed against the closed form that sees the same pairs.

    python -m dva_lens.analyses.benchmarks.bench_recorder --lengths 512 2048 [--json] [--check]
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F

from dva_lens.kernels.backends import BACKENDS
from dva_lens.kernels.guard import BUDGET
from dva_lens.kernels.reference import attention as reference
from dva_lens.kernels.rule import Rule
from dva_lens.kernels.values import Static

from .timing import Run, answered, asking, paired, peak_growth

HEADS, WIDTH = 12, 64
SDPA, MATERIALISED = "sdpa", "materialised"
WINDOW = 256
BESIDE = {"masked": "blocked", "masked window": "window"}
"""What a way is timed against where that is not torch's fused attention."""
WAYS = ("blocked", "exact", MATERIALISED, *BESIDE)
BOUNDS = {
    ("blocked", 2048): 2.5,
    ("exact", 2048): 3.0,
    **{(way, length): 1.5 for way in BESIDE for length in (1024, 2048, 4096)},
}


@final
@dataclass(frozen=True)
class RecorderOutcome:
    """What one way of recording took at one length, and what it was timed against."""

    length: int
    way: str
    beside: str
    plain_seconds: float
    seconds: float
    ratio: float
    ratio_bound: float | None
    extra_mib: float
    plain_extra_mib: float
    threads: int
    pairs: Sequence[tuple[float, float]]

    @property
    def holds(self) -> bool:
        """Whether the bound, if there is one, is kept."""
        return self.ratio_bound is None or self.ratio <= self.ratio_bound


def materialised(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, weights: Rule
) -> tuple[torch.Tensor, ...]:
    """Return the output and the same numbers, read off the pattern in full."""
    pattern = reference.pattern(query, key, weights)
    output = pattern @ value
    position = torch.arange(pattern.shape[-1], dtype=pattern.dtype)
    return (
        output,
        torch.special.entr(pattern).sum(dim=-1),
        pattern.square().sum(dim=-1),
        *pattern.max(dim=-1),
        pattern[..., 0],
        pattern.diagonal(dim1=-2, dim2=-1),
        pattern.diagonal(offset=-1, dim1=-2, dim2=-1),
        position - pattern @ position,
        pattern.sum(dim=-1),
        (pattern @ value.norm(dim=-1)[..., None])[..., 0],
        output.norm(dim=-1),
        pattern.sum(dim=-2),
    )


def prepare(way: str, length: int) -> Run:
    """Return a call of one way, over projections laid out as a model leaves them."""
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, length, HEADS, WIDTH).transpose(1, 2) for _ in range(3))
    weights = _rule(way)
    if way == SDPA:
        return lambda: F.scaled_dot_product_attention(query, key, value, is_causal=True)
    if way == MATERIALISED:
        return lambda: materialised(query, key, value, weights)
    backend = way if way in BACKENDS else "blocked"
    return lambda: BACKENDS[backend](query, key, Static(value), weights)


def _rule(way: str) -> Rule:
    scale = WIDTH**-0.5
    if way == "masked":
        return Rule(scale=scale, causal=False, mask=lambda _, query, key: key <= query)
    if way == "masked window":
        return Rule(
            scale=scale,
            causal=False,
            mask=lambda _, query, key: (key <= query) & (query - key < WINDOW),
        )
    return Rule(scale=scale, window=WINDOW if way == "window" else None)


def warmed(way: str, length: int) -> Run:
    """Return the same call in a process that has loaded whatever a first call loads."""
    prepare(way, 8)()
    return prepare(way, length)


def fits(way: str, length: int) -> bool:
    """Say whether a way stays within the budget of memory at a length."""
    return way != MATERIALISED or HEADS * length * length * 4 <= BUDGET


def outcome(way: str, length: int, pairs: int, clock: str) -> RecorderOutcome:
    """Time one way at one length."""
    beside = BESIDE.get(way, SDPA)
    times = paired(prepare(beside, length), prepare(way, length), pairs, clock=clock)
    return RecorderOutcome(
        length=length,
        way=way,
        beside=beside,
        plain_seconds=times.baseline,
        seconds=times.contender,
        ratio=times.ratio,
        ratio_bound=BOUNDS.get((way, length)),
        extra_mib=peak_growth(warmed, way, length),
        plain_extra_mib=peak_growth(warmed, beside, length),
        threads=torch.get_num_threads(),
        pairs=times.pairs,
    )


def table(outcomes: list[RecorderOutcome]) -> list[str]:
    """Return outcomes as lines of text."""
    lines = [
        "tokens  way            beside        it [ms]   this [ms]   ratio  bound  peak [MiB]  its"
    ]
    lines += [
        f"{each.length:6d}  {each.way:13s}  {each.beside:8s}  {1e3 * each.plain_seconds:10.1f}"
        f"  {1e3 * each.seconds:10.1f}  {each.ratio:6.2f}"
        f"  {'' if each.ratio_bound is None else format(each.ratio_bound, '.1f'):>5s}"
        f"  {each.extra_mib:10.1f}  {each.plain_extra_mib:6.1f}"
        f"{'' if each.holds else '  BROKEN'}"
        for each in outcomes
    ]
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or JSON; return 1 where a bound is broken and `--check` asks."""
    parser = asking(__doc__, pairs=9)
    parser.add_argument("--lengths", type=int, nargs="+", default=[512, 1024, 2048, 4096])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    chosen = parser.parse_args(arguments)
    outcomes = [
        outcome(way, length, chosen.pairs, chosen.clock)
        for length in chosen.lengths
        for way in chosen.ways
        if fits(way, length)
    ]
    return answered(outcomes, table(outcomes), chosen)


if __name__ == "__main__":
    sys.exit(main())
