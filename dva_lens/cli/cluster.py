"""`--cluster`: runs spread over the workers of a Dask cluster."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dva_lens.data.documents import Corpus
    from dva_lens.study.single import MeasureOptions

ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Spread runs over a Dask cluster: tcp://HOST:PORT of its scheduler, or local:N for "
        "N workers here.",
    ),
]


def check_cluster(address: str) -> None:
    """Refuse an address that is none, and a command that a launcher started several times.

    Raises
    ------
    typer.BadParameter
        It is one of these.
    """
    from dva_lens.study.cluster.connection import check_address

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise typer.BadParameter(
            "--cluster spreads runs itself; start the command once, without a launcher"
        )
    try:
        check_address(address)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def measure_spread(
    address: str,
    models: list[tuple[str, str | None]],
    out: Path,
    corpus: "Corpus",
    options: "MeasureOptions",
) -> list[str]:
    """Measure models on a cluster, say of each what came of it, and return the labels.

    Raises
    ------
    RuntimeError
        A model could not be measured; the others were.
    """
    from dva_lens.cli.progress import shown
    from dva_lens.study.cluster.measurements import measure_on_cluster

    labels: list[str] = []
    failed: list[tuple[str, str]] = []
    with shown() as progress:
        for found in measure_on_cluster(out, models, corpus, options, address, progress):
            if found.failure is not None:
                failed.append((found.model, found.failure.words))
                continue
            labels += found.labels.values()
            typer.echo(f"Measured {', '.join(found.labels.values())} on {corpus.name}.")
    for model, why in failed:
        raise RuntimeError(
            f"{model} could not be measured on the cluster: {why}. {len(labels)} runs are kept."
        )
    return labels
