"""Comparisons as lines to read and as tables to keep."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import typer

from dva_lens.statistics.inference.compare import Comparison
from dva_lens.statistics.inference.equivalence import detectable
from dva_lens.statistics.inference.estimate import Estimate

if TYPE_CHECKING:
    from dva_lens.results.compare import Comparisons
    from dva_lens.results.moments import When
    from dva_lens.results.reader import Measurements

COLUMNS = ("mean", "low", "high", "p")


def describe(entry: Comparison) -> str:
    """Return a comparison as one line: new text, retrained, the same against itself, verdict."""
    from dva_lens.views.words import p_value

    same = "" if entry.same is None else f"A/A {float(entry.same.mean):+.4g}  "
    return (
        f"{entry.model:<24} {float(entry.text.mean):+.4g} "
        f"new text {_interval(entry.text)} p {p_value(entry.text_adjusted)}  "
        f"retrained {_interval(entry.retrained)} p {p_value(entry.retrained_adjusted)}  "
        f"{same}{entry.verdict}"
    )


def sensitivity(entry: Comparison) -> str:
    """Return which true difference would be found four times out of five, before adjusting p."""
    parts = [
        f"{words} {_smallest(estimate)}"
        for words, estimate in (("new text", entry.text), ("retrained", entry.retrained))
    ]
    return f"{'':<24} smallest difference detectable with 80 % power: {', '.join(parts)}"


def write_tables(
    folder: Path,
    found: "Comparisons",
    measured: "Measurements",
    names: Sequence[str],
    *,
    moment: "When",
) -> None:
    """Write all contrasts of some statistics, and what each layer shows, to explore by."""
    from dva_lens.results.tables import write_csv

    folder.mkdir(parents=True, exist_ok=True)
    write_csv(
        [
            {
                "statistic": entry.statistic,
                "contrast": entry.contrast,
                "model": entry.model,
                "baseline": entry.baseline,
                "estimand": estimate.estimand,
                **{name: float(getattr(estimate, name)) for name in COLUMNS},
                "adjusted_p": adjusted,
                "verdict": entry.word,
            }
            for name in names
            for entry in found.of(name)
            for estimate, adjusted in (
                (entry.text, entry.text_adjusted),
                (entry.retrained, entry.retrained_adjusted),
            )
        ],
        folder / "contrasts.csv",
    )
    write_csv(_layers(found, measured, names, moment=moment), folder / "layers.csv")
    typer.echo(f"\nTables: {folder}")


def _layers(
    found: "Comparisons", measured: "Measurements", names: Sequence[str], *, moment: "When"
) -> list[dict[str, object]]:
    from dva_lens.results.differences import differences

    rows: list[dict[str, object]] = []
    for name in names:
        if "layer" not in measured.variable(name).dims:
            continue
        difference = differences(measured, name, baseline=found.baseline, moment=moment)
        for model in difference["model"].values:
            one = difference.sel(model=model)
            for layer in one["layer"].values:
                at = one.sel(layer=layer)
                rows.append(
                    {
                        "statistic": name,
                        "layer": int(layer),
                        "model": str(model),
                        "baseline": found.baseline,
                        "mean": float(at["value"]),
                        **{column: float(at[column]) for column in COLUMNS[1:]},
                        "false_discovery_p": float(at["adjusted"]),
                    }
                )
    return rows


def _interval(estimate: Estimate) -> str:
    return f"[{float(estimate.low):+.4g}, {float(estimate.high):+.4g}]"


def _smallest(estimate: Estimate) -> str:
    error, freedom = float(estimate.error), float(estimate.freedom)
    if not (np.isfinite(error) and np.isfinite(freedom)):
        return f"unknown ({estimate.note})"
    return f"{detectable(error, freedom, alpha=1 - estimate.level):.4g}"
