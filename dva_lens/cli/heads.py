"""Heads of models as collections of numbers on the command line: quantiles and distances."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import typer

if TYPE_CHECKING:
    from dva_lens.results.reader import Measurements

AT = (0.1, 0.5, 0.9)


def show_heads(measured: "Measurements", statistics: Iterable[str], *, baseline: str) -> None:
    """Print, for every statistic of heads, how the heads of each model are spread and how far.

    Heads of different trainings have nothing to do with each other, so no head is compared with
    another: the distance is what one collection has to move to become the other, and how far
    apart trainings of one model are is its yardstick.
    """
    from dva_lens.results.estimates import heads_of

    typer.echo(
        "\nDistribution over the heads of all layers, last step: 10 %, 50 % and 90 % quantiles, "
        "Wasserstein distance"
    )
    for name in statistics:
        found = heads_of(measured.values(name))
        if not found:
            typer.echo(f"\n{name}: not measured per head")
            continue
        typer.echo(f"\n{name}")
        for model, values in found.items():
            base = None if model == baseline else found[baseline]
            typer.echo(f"  {_line(model, values, base)}")


def _line(model: str, values: np.ndarray, base: np.ndarray | None) -> str:
    from dva_lens.statistics.inference.distributions import (
        head_quantiles,
        mean_distance,
    )

    low, middle, high = head_quantiles(values.ravel(), AT)
    found = f"{model:<24} {low:+.4g}  {middle:+.4g}  {high:+.4g}"
    if base is None:
        return found
    across, within = mean_distance(values, base)
    same = f"{within:.3g}" if np.isfinite(within) else "unknown (1 seed)"
    return f"{found}  distance {across:.3g}; between seeds {same}"
