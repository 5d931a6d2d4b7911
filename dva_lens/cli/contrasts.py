"""Comparisons as lines to read and as tables to keep."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import typer

from dva_lens.statistics.inference.compare import Comparison, by_layer
from dva_lens.statistics.inference.equivalence import detectable
from dva_lens.statistics.inference.estimate import Estimate
from dva_lens.statistics.inference.multiplicity import benjamini_hochberg

Arms = Mapping[str, tuple[dict[str, np.ndarray], list[str]]]
COLUMNS = ("mean", "low", "high", "p")


def describe(entry: Comparison) -> str:
    """Return a comparison as one line: new text, retrained, the same against itself, verdict."""
    same = "" if entry.same is None else f"A/A {float(entry.same.mean):+.4f}  "
    return (
        f"{entry.arm:<24} {float(entry.text.mean):+.4f} "
        f"new text {_interval(entry.text)} {_p(entry.text_adjusted)}  "
        f"retrained {_interval(entry.retrained)} {_p(entry.retrained_adjusted)}  "
        f"{same}{entry.verdict}"
    )


def sensitivity(entry: Comparison) -> str:
    """Return which true difference would be found four times out of five, before adjusting p."""
    parts = [
        f"{words} {_smallest(estimate)}"
        for words, estimate in (("new text", entry.text), ("retrained", entry.retrained))
    ]
    return f"{'':<24} would find, four times in five: {', '.join(parts)}"


def write_tables(
    folder: Path, comparisons: Sequence[Comparison], arms: Arms, baseline: str
) -> None:
    """Write all contrasts, and what each layer shows with p values to explore by."""
    folder.mkdir(parents=True, exist_ok=True)
    heads = ("statistic", "contrast", "model", "baseline", "estimand", *COLUMNS, "adjusted_p")
    rows = [
        (entry.statistic, entry.contrast, entry.arm, baseline, *_cells(estimate), adjusted)
        for entry in comparisons
        for estimate, adjusted in (
            (entry.text, entry.text_adjusted),
            (entry.retrained, entry.retrained_adjusted),
        )
    ]
    _write(folder / "contrasts.csv", heads, rows)
    heads = ("statistic", "layer", "model", "baseline", *COLUMNS, "false_discovery_p")
    _write(folder / "layers.csv", heads, _layers(arms, baseline))
    typer.echo(f"\nTables: {folder}")


def _layers(arms: Arms, baseline: str) -> list[tuple[object, ...]]:
    found = [
        (name, model, estimate)
        for name, (profiles, documents) in arms.items()
        for model, estimate in by_layer(profiles, documents, baseline=baseline).items()
    ]
    if not found:
        return []
    adjusted = benjamini_hochberg(np.concatenate([estimate.p for *_, estimate in found]))
    rows: list[tuple[object, ...]] = []
    for name, model, estimate in found:
        for layer, numbers in enumerate(
            zip(estimate.mean, estimate.low, estimate.high, estimate.p, strict=True)
        ):
            rows.append((name, layer, model, baseline, *map(float, numbers), adjusted[len(rows)]))
    return rows


def _cells(estimate: Estimate) -> tuple[object, ...]:
    numbers = (estimate.mean, estimate.low, estimate.high, estimate.p)
    return (estimate.estimand, *(float(number) for number in numbers))


def _write(path: Path, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(heads)
        writer.writerows(rows)


def _interval(estimate: Estimate) -> str:
    return f"[{float(estimate.low):+.4f}, {float(estimate.high):+.4f}]"


def _p(value: float) -> str:
    if not np.isfinite(value):
        return "p -"
    return "p <0.001" if value < 0.001 else f"p {value:.3f}"


def _smallest(estimate: Estimate) -> str:
    error, freedom = float(estimate.error), float(estimate.freedom)
    if not (np.isfinite(error) and np.isfinite(freedom)):
        return f"unknown ({estimate.note})"
    return f"{detectable(error, freedom, alpha=1 - estimate.level):.4f}"
