"""Heads of models as collections of numbers on the command line: quantiles and distances."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import typer

from dva_lens.cli.profiles import entry_of
from dva_lens.statistics.inference.distributions import (
    head_quantiles,
    head_values,
    wasserstein_between_seeds,
)

if TYPE_CHECKING:
    from dva_lens.results.archive import Archive

AT = (0.1, 0.5, 0.9)
HEADS = ({"layer", "head", "sequence"}, {"layer", "kv_head", "sequence"})


def show_heads(
    archive: "Archive", statistics: Iterable[str], *, baseline: str, probe: str | None
) -> None:
    """Print, for every statistic of heads, how the heads of each model are spread and how far.

    Heads of different trainings have nothing to do with each other, so no head is compared with
    another: the distance is what one collection has to move to become the other, and how far
    apart trainings of one model are is its yardstick.
    """
    typer.echo(
        "\nHeads of all layers, last step: quantiles 10 %, 50 %, 90 %, distance (Wasserstein)"
    )
    for name in statistics:
        arms = _arms(archive, name, probe)
        if not arms:
            typer.echo(f"\n{name}: not a number of heads")
            continue
        typer.echo(f"\n{name}")
        for arm, values in arms.items():
            typer.echo(f"  {_line(arm, values, None if arm == baseline else arms[baseline])}")


def _arms(archive: "Archive", statistic: str, probe: str | None) -> dict[str, np.ndarray]:
    """Return a statistic over (seed, cell) for every preset, empty where it is not of heads."""
    held: dict[str, list[np.ndarray]] = {}
    for run in archive.runs:
        data = archive.dataset(run.label, probe)
        data = data.isel(step=-1) if "step" in data.dims else data
        values = entry_of(data, run, statistic)
        if set(values.dims) - {"span"} not in HEADS:
            return {}
        rows = data["rows"].values if "span" in values.dims else None
        held.setdefault(run.preset, []).append(head_values(values.values, rows).ravel())
    return {preset: np.stack(several) for preset, several in held.items()}


def _line(arm: str, values: np.ndarray, base: np.ndarray | None) -> str:
    low, middle, high = head_quantiles(values.ravel(), AT)
    found = f"{arm:<24} {low:+.4f}  {middle:+.4f}  {high:+.4f}"
    if base is None:
        return found
    across, within = wasserstein_between_seeds(values, base)
    same = f"{np.nanmean(within):.4f}" if np.isfinite(within).any() else "unknown (1 seed)"
    return f"{found}  distance {np.nanmean(across):.4f}; between seeds {same}"
