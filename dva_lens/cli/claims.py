"""A plan of claims on the command line: read strictly, answered in one line each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import typer

from dva_lens.files import read_yaml
from dva_lens.statistics.inference.plan import Claim, Verdict, claims_from, former_names


def read_claims(path: Path) -> tuple[Claim, ...]:
    """Read the claims of a YAML file.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is no YAML or no plan; the message names the file and the key.
    """
    held = read_yaml(path)
    if former := former_names(held):
        typer.echo(former, err=True)
    try:
        return claims_from(held)
    except ValueError as error:
        raise ValueError(f"{path} is no plan. {error}") from error


def show_verdicts(verdicts: Sequence[Verdict]) -> None:
    """Print what the data say to every claim."""
    typer.echo("\nClaims, p by Holm")
    for verdict in verdicts:
        typer.echo(f"  {_line(verdict)}")


def _line(verdict: Verdict) -> str:
    from dva_lens.views.words import p_value

    claim = verdict.claim
    margin = f" by more than {claim.margin:g}" if claim.margin else ""
    margin = f" within {claim.margin:g}" if claim.direction == "equal" else margin
    p = f", p {p_value(verdict.adjusted)}" if np.isfinite(verdict.adjusted) else ""
    able = ""
    if np.isfinite(verdict.power):
        able = f"; equality would be shown {verdict.power:.0%} of the time"
    elif np.isfinite(verdict.detectable):
        able = f"; differences from {verdict.detectable:.3g} up would be found"
    reason = f": {verdict.reason}" if verdict.reason else ""
    than = "" if claim.baseline is None else f" than {claim.baseline}"
    than = than.replace("than", "to") if claim.direction == "equal" else than
    where = ", ".join([claim.contrast, claim.test, *["equal loss"] * (claim.at == "loss")])
    return (
        f"{verdict.answer:<10} {claim.statistic} of {claim.model} is {claim.direction}{than}"
        f"{margin} ({where}{p}){reason}{able}"
    )
