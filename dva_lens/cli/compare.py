"""`dva-lens compare`: every model of an archive against one of them."""

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from dva_lens.cli.profiles import Moment, moment_of, profiles, words_for

if TYPE_CHECKING:
    from dva_lens.statistics.inference.compare import Comparison

DEFAULT = (
    "normalised_entropy",
    "sink_free_entropy",
    "first_key_mass",
    "head_importance_excess",
    "value_drain",
    "dynamism",
)
CONTRASTS = {
    "middle half": "mean over the middle half of the layers",
    "slope": "change from the first to the last layer, by a line",
}


def compare(  # noqa: PLR0913 - one argument per option
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.")],
    *,
    baseline: Annotated[str, typer.Option(help="The preset all others are compared with.")],
    statistic: Annotated[
        list[str] | None,
        typer.Option(help="A statistic, or an entry as sink_rate:0.3; again for more."),
    ] = None,
    probe: Annotated[str | None, typer.Option(help="The text; the main one unless told.")] = None,
    at: Annotated[
        Moment,
        typer.Option(
            help="At the last step all share, the lowest loss all reach, or the untrained start."
        ),
    ] = Moment.STEP,
    plan: Annotated[
        Path | None, typer.Option(help="YAML file of claims to hold against the data.")
    ] = None,
    power: Annotated[
        bool, typer.Option("--power", help="Say what difference would have been found.")
    ] = False,
    heads: Annotated[
        bool, typer.Option("--heads", help="Compare all heads as collections of numbers too.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for contrasts.csv, and layers.csv to explore.")
    ] = None,
) -> None:
    """Compare models with a baseline: differences, intervals, and what may be said of them.

    Example: dva-lens compare runs/quick --baseline transformer
    """
    from dva_lens.cli.claims import read_claims, show_verdicts
    from dva_lens.cli.contrasts import write_tables
    from dva_lens.cli.heads import show_heads
    from dva_lens.results.archive import open_archive
    from dva_lens.statistics.inference.compare import adjust

    if heads and at is not Moment.STEP:
        raise typer.BadParameter("--heads reads heads at the last step; leave --at out")
    archive = open_archive(folder)
    claims = None if plan is None else read_claims(plan)
    names = statistic or (
        DEFAULT if claims is None else dict.fromkeys(c.statistic for c in claims)
    )
    arms = {
        name: profiles(archive, name, baseline=baseline, probe=probe, moment=at) for name in names
    }
    when = words_for(at, moment_of(archive, at, probe))
    found = adjust([entry for name in names for entry in comparisons(name, *arms[name], baseline)])
    if not found:
        typer.echo(f"{baseline} is the only model of {folder}; there is nothing to compare with.")
        return
    typer.echo(f"Difference from {baseline} {when}, [95 %], p by Holm over {len(found)} contrasts")
    _show(found, names, power=power)
    if heads:
        show_heads(archive, names, baseline=baseline, probe=probe)
    if claims is not None:
        show_verdicts(claims, found)
    if out is not None:
        write_tables(out, found, arms, baseline)


def _show(found: Sequence["Comparison"], names: Iterable[str], *, power: bool) -> None:
    from dva_lens.cli.contrasts import describe, sensitivity

    for name, (contrast, words) in product(names, CONTRASTS.items()):
        typer.echo(f"\n{name}, {words}")
        for entry in found:
            if (entry.statistic, entry.contrast) == (name, contrast):
                typer.echo(f"  {describe(entry)}")
                if power:
                    typer.echo(f"  {sensitivity(entry)}")


def comparisons(
    statistic: str, arms: dict[str, np.ndarray], documents: list[str], baseline: str
) -> tuple["Comparison", ...]:
    """Compare all presets with one of them, on the texts they share."""
    from dva_lens.statistics.inference.compare import compare as over_depth

    return over_depth(statistic, arms, documents, baseline=baseline, contrasts=tuple(CONTRASTS))
