"""What was confirmed on a GPU, and what it cost there, written from the results that are kept.

python -m dva_lens.analyses.pages.gpu > docs/gpu.md
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..benchmarks.gpu_checks import OUT
from ..benchmarks.gpu_speed import (
    HEADS,
    PER_QUERY_BOUND,
    RECEIVED_BOUND,
    ROOFLINE_BOUND,
    TRAINED,
    WIDTH,
)

Result = Mapping[str, Any]
RIGHT = {
    "forward": "every rule of weights in three dtypes",
    "widths": "heads of other widths, in three dtypes",
    "forms": "every form of values the kernels know",
    "gradients": "gradients of pairwise values",
    "wide-gradients": "the same with wide heads",
    "measure": "`lens.measure` on every preset",
}
INTRODUCTION = """# On a GPU

What needs a GPU to be confirmed is confirmed by

    python -m dva_lens.analyses.benchmarks.gpu_checks

which holds the fused kernels to the reference in float64, `lens.measure` on the GPU to the same
call on a CPU in float64, and times both. Results are kept in `gpu_checks.json` with the
fingerprint of the sources they belong to; this page is written from them. Without a GPU the
command says what it would do.
"""
ERRORS = """An error is a share of the largest one that is allowed: for kernels what rounding can
explain in the precision they keep, for `lens.measure` a relative 1e-5 beside an absolute 2e-6.
Above 1 a check does not hold.
"""


def page(held: Mapping[str, Any]) -> str:
    """Return the page for what is written down."""
    checks: Mapping[str, Result] = held["checks"]
    machine = {**held["hardware"], **held["versions"]}
    parts = [
        INTRODUCTION,
        f"Run on one {machine['gpu']} ({machine['memory_gib']} GiB) with torch "
        f"{machine['torch']}, Triton {machine['triton']}, CUDA {machine['cuda']} and Python "
        f"{machine['python']}.\n",
        "## Is it right?\n",
        ERRORS,
        _table(("checks", "made", "hold", "largest error"), _right(checks)),
        "## What does recording cost?\n",
        f"Recording beside torch's FLASH attention, bfloat16, causal, {HEADS} heads of {WIDTH} "
        f"channels. Bounds: {PER_QUERY_BOUND} for all numbers per query, {RECEIVED_BOUND} with "
        f"what keys receive.\n",
        _table(
            ("tokens", "FLASH [ms]", "numbers per query", "with received mass", "bounds"),
            _attention(checks),
        ),
        "Short texts take less time than a CPU needs to start the kernels.\n",
        "The whole default call, comparison with the model's own attention included, on one text "
        "and a model of SmolLM2-135M's shape in bfloat16. Most of its time is spent on the CPU, "
        "where statistics are formed.\n",
        _table(
            ("tokens", "forward [s]", "measure [s]", "forward [MiB]", "measure [MiB]"),
            _measured(checks),
        ),
        "## What do pairwise values cost?\n",
        _pairwise(checks["speed/pairwise"]),
        "## How fast do presets train?\n",
        f"Tokens a second in bfloat16, {TRAINED['layers']} layers of width {TRAINED['width']}, "
        f"texts of {TRAINED['context']} tokens; a single run of each.\n",
        _table(("preset", "tokens a second", "peak [MiB]"), _trained(checks)),
    ]
    return "\n".join(parts)


def _right(checks: Mapping[str, Result]) -> Iterator[Sequence[object]]:
    for kind, meaning in RIGHT.items():
        found = [each for name, each in checks.items() if name.partition("/")[0] == kind]
        worst = max(share for each in found for share in each["worst"].values())
        yield meaning, len(found), sum(each["holds"] for each in found), f"{worst:.3f}"


def _attention(checks: Mapping[str, Result]) -> Iterator[Sequence[object]]:
    for length, each in _by_length(checks, "speed/attention/"):
        numbers, whole = each["per_query_ratio"], each["with_received_ratio"]
        missed = [
            name
            for name, ratio, bound in (
                ("numbers per query", numbers, PER_QUERY_BOUND),
                ("received mass", whole, RECEIVED_BOUND),
            )
            if ratio > bound
        ]
        said = f"broken: {', '.join(missed)}" if missed else "hold"
        yield f"{length:,}", f"{each['flash_ms']:.2f}", f"{numbers:.2f}", f"{whole:.2f}", said


def _measured(checks: Mapping[str, Result]) -> Iterator[Sequence[object]]:
    for length, each in _by_length(checks, "speed/measure/"):
        yield (
            f"{length:,}",
            f"{each['forward_s']:.3f}",
            f"{each['measure_s']:.2f}",
            f"{each['forward_peak_mib']:,.0f}",
            f"{each['measure_peak_mib']:,.0f}",
        )


def _by_length(checks: Mapping[str, Result], kind: str) -> list[tuple[int, Result]]:
    found = {
        int(name.removeprefix(kind)): checks[name] for name in checks if name.startswith(kind)
    }
    return sorted(found.items())


def _pairwise(found: Result) -> str:
    return (
        f"Forward and backward of 8 texts of 2,048 tokens, one head of 512 channels, float32: "
        f"{1e3 * found['seconds']:.0f} ms, {100 * found['roofline_share']:.0f} % of the rate at "
        f"which the nonlinearity alone runs in registers (bound: {100 * ROOFLINE_BOUND:.0f} %); "
        f"{found['faster_than_materialised']:.1f} times faster than the same with every value "
        f"formed, in {found['peak_mib']:,.0f} MiB for all eight instead of "
        f"{found['materialised_mib_of_one']:,.0f} for one.\n"
    )


def _trained(checks: Mapping[str, Result]) -> Iterator[Sequence[object]]:
    names = [name for name in checks if name.startswith("training/")]
    for name in sorted(names, key=lambda each: -checks[each]["tokens_per_second"]):
        found = checks[name]
        preset = f"`{name.removeprefix('training/')}`"
        yield preset, f"{found['tokens_per_second']:,}", f"{found['peak_mib']:,.0f}"


def _table(head: Sequence[str], rows: Iterator[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def main() -> int:
    """Write the page to standard output."""
    sys.stdout.write(page(json.loads(Path(OUT).read_text())))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
