"""`dva-lens compare`: every model of an archive against one of them."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, final

import typer

from dva_lens.cli.texts import FormerText, Text, chosen_text

if TYPE_CHECKING:
    from dva_lens.results.compare import Comparisons
    from dva_lens.results.moments import When

DEFAULT = (
    "normalised_entropy",
    "sink_free_entropy",
    "first_key_mass",
    "head_importance_excess",
    "value_drain",
    "dynamism",
)


@final
class At(StrEnum):
    """When trainings are compared."""

    STEP = "step"
    LOSS = "loss"
    START = "start"


MOMENTS: "dict[At, When]" = {At.STEP: "last", At.LOSS: "loss", At.START: "start"}


def compare(  # noqa: PLR0913 - one argument per option
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Archive folder.")],
    *,
    baseline: Annotated[
        str, typer.Option(help="Model to compare all others with; zero for levels alone.")
    ],
    statistic: Annotated[
        list[str] | None,
        typer.Option(help="Statistic, or one entry of it (sink_rate:0.3); may be repeated."),
    ] = None,
    text: Text = None,
    probe: FormerText = None,
    at: Annotated[
        At,
        typer.Option(
            help="Compare at the last common step, at the lowest common loss, or before training."
        ),
    ] = At.STEP,
    plan: Annotated[
        Path | None, typer.Option(help="YAML file of preregistered claims to test.")
    ] = None,
    power: Annotated[
        bool, typer.Option("--power", help="Also show the smallest detectable differences.")
    ] = False,
    heads: Annotated[
        bool, typer.Option("--heads", help="Also compare the distributions over heads.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for contrasts.csv and the exploratory layers.csv.")
    ] = None,
) -> None:
    """Compare models with a baseline: differences, intervals, p values and verdicts.

    Example: dva-lens compare runs/quick --baseline transformer
    """
    from dva_lens.cli.claims import read_claims, show_verdicts
    from dva_lens.cli.contrasts import write_tables
    from dva_lens.cli.heads import show_heads
    from dva_lens.cli.pages import opened, show_left_out
    from dva_lens.results.claims import Asked, held_against
    from dva_lens.results.compare import compare as against

    if heads and at is not At.STEP:
        raise typer.BadParameter("--heads uses the last step; omit --at")
    archive, wanted = opened(folder), chosen_text(text, probe)
    measured = archive.on(wanted)
    show_left_out(measured.left_out)
    claims = () if plan is None else read_claims(plan)
    own = [claim.statistic for claim in claims if claim.text is None]
    found = against(
        measured,
        baseline,
        [*(statistic or ()), *own],
        contrasts=[claim.contrast for claim in claims],
        moment=MOMENTS[at],
    )
    if not found.entries:
        typer.echo(f"{baseline} is the only model of {folder}; there is nothing to compare with.")
        return
    names = _shown(found, statistic or own or DEFAULT)
    _show(found, names, power=power)
    if heads:
        show_heads(measured, names, baseline=baseline)
    if claims:
        compared = Asked(text=wanted, baseline=baseline, moment=MOMENTS[at])
        show_verdicts(held_against(archive, claims, compared))
    if out is not None:
        write_tables(out, found, measured, names, moment=MOMENTS[at])


def _shown(found: "Comparisons", wanted: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(wanted) if found.of(name)]


def _show(found: "Comparisons", names: Sequence[str], *, power: bool) -> None:
    from dva_lens.cli.contrasts import describe, sensitivity
    from dva_lens.statistics.inference.depth import CONTRASTS

    typer.echo(
        f"Difference from {found.baseline} {found.when}, [95 %], "
        f"p by Holm over {found.family} contrasts"
    )
    for name, contrast in product(names, found.contrasts):
        entries = found.of(name, contrast=contrast)
        if not entries:
            continue
        explored = "" if entries[0].primary else " (exploratory: p by Benjamini-Hochberg)"
        typer.echo(f"\n{name}, {CONTRASTS[contrast]}{explored}")
        for entry in entries:
            typer.echo(f"  {describe(entry)}")
            if power:
                typer.echo(f"  {sensitivity(entry)}")
    for reason in found.refused.values():
        typer.echo(f"\nNot compared: {reason}.")
    if found.note:
        typer.echo(f"\n{found.note}")
