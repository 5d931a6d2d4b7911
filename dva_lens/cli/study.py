"""`dva-lens study run`."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer


def run(
    name: Annotated[
        str, typer.Argument(metavar="[PRESET|FILE.yaml]", help="A built-in study, or a file.")
    ] = "quick",
    *,
    out: Annotated[Path, typer.Option(help="Folder of the results; new, empty or this study's.")],
    seed: Annotated[int, typer.Option(help="Added to every seed of the study.")] = 0,
    text: Annotated[
        str | None,
        typer.Option(help="File or folder of text (plain, .gz, .xz), hf:NAME, or - for input."),
    ] = None,
) -> None:
    """Train the models of a study, measure them, keep the results; the same command resumes.

    Example: dva-lens study run quick --out runs/quick
    """
    from dva_lens.cli.progress import shown
    from dva_lens.study.builtin import read_study
    from dva_lens.study.folder import refuse_foreign

    refuse_foreign(out)
    study = read_study(name)
    study = replace(study, seeds=tuple(one + seed for one in study.seeds))
    if text is not None:
        study = replace(study, text=text)
    from dva_lens.study.runner import run as run_study

    with shown() as progress:
        archive = run_study(study, out, progress)
    if os.environ.get("RANK", "0") != "0":  # one of several processes speaks
        return
    typer.echo(f"Archive:  {archive}")
    typer.echo(f"Report:   dva-lens report {out} --out {out / 'report.html'}")
    typer.echo(f"Explorer: dva-lens explore {out}")
