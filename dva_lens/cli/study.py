"""`dva-lens study run`."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from dva_lens.cli.cluster import ClusterOption, check_cluster


def run(  # noqa: PLR0913 - one argument per option
    name: Annotated[
        str, typer.Argument(metavar="[PRESET|FILE.yaml]", help="Built-in study or YAML file.")
    ] = "quick",
    *,
    out: Annotated[Path, typer.Option(help="Output folder: new, empty, or of the same study.")],
    seed: Annotated[int, typer.Option(help="Offset added to every seed of the study.")] = 0,
    text: Annotated[
        str | None,
        typer.Option(
            help="Text file or folder (plain, .gz, .xz), hf:NAME, or - for standard input."
        ),
    ] = None,
    edges: Annotated[
        str | None,
        typer.Option(
            help="Bytes for the largest edges of each run, such as 64MiB.", show_default="2MiB"
        ),
    ] = None,
    no_edges: Annotated[bool, typer.Option("--no-edges", help="Store no edges.")] = False,
    cluster: ClusterOption = None,
) -> None:
    """Train and measure the models of a study; repeat the command to resume.

    Example: dva-lens study run quick --out runs/quick
    """
    from dva_lens.cli.edges import edge_budget, say_edges
    from dva_lens.cli.findings import say_findings
    from dva_lens.cli.progress import shown
    from dva_lens.study.builtin import read_study
    from dva_lens.study.folder import refuse_foreign

    if cluster is not None:
        check_cluster(cluster)
    refuse_foreign(out)
    budget = edge_budget(edges, none=no_edges)
    study = read_study(name)
    study = study.offset(seed)
    if text is not None:
        study = study.reading(text)
    from dva_lens.study.runner import run as run_study

    with shown() as progress:
        if cluster is None:
            archive = run_study(study, out, progress, **budget)
        else:
            from dva_lens.study.cluster.studies import run_on_cluster

            archive = run_on_cluster(study, out, cluster, progress, **budget)
    if os.environ.get("RANK", "0") != "0":  # one of several processes speaks
        return
    say_findings(out)
    typer.echo(f"Archive:  {archive}")
    say_edges(out)
    say_next(out)


def say_next(folder: Path) -> None:
    """Print the commands that show an archive, written so that a shell takes them back."""
    report = ("dva-lens", "report", str(folder), "--out", str(folder / "report.html"))
    typer.echo(f"Report:   {shlex.join(report)}")
    typer.echo(f"Explorer: {shlex.join(('dva-lens', 'explore', str(folder)))}")
