"""`dva-lens measure`: one existing model, one text, one archive."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dva_lens.data.documents import Corpus


class Control(StrEnum):
    """Baselines that destroy the structure of the text or the training of the model."""

    SHUFFLED = "shuffled"
    REPEATED = "repeated"
    RANDOM_INIT = "random-init"


def measure(  # noqa: PLR0913 - one argument per option
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Checkpoint folder, GGUF file or hub name.")
    ],
    *,
    out: Annotated[
        Path, typer.Option(help="Archive folder; results are added to an existing archive.")
    ],
    text: Annotated[
        str | None,
        typer.Option(help="Text file or folder (plain, .gz, .xz), or - for standard input."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="What the decoder of an encoder-decoder should write: a file whose lines belong "
            "to those of --text, or a folder of as many files."
        ),
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option(
            help="Hugging Face data set, hf:NAME[@CONFIG][:split[:column]].",
            show_default="Python's own documentation",
        ),
    ] = None,
    extended: Annotated[
        bool, typer.Option("--extended", help="Also compute the extended set of statistics.")
    ] = False,
    name: Annotated[
        str | None, typer.Option(help="Name in the archive; default: the last part of MODEL.")
    ] = None,
    length: Annotated[int | None, typer.Option(min=2, help="Window length in tokens.")] = None,
    documents: Annotated[
        int, typer.Option(min=1, help="Maximum number of documents to measure.")
    ] = 32,
    backend: Annotated[
        str, typer.Option(help="Attention kernels: auto, exact, blocked, fused or reference.")
    ] = "auto",
    queries: Annotated[
        bool, typer.Option(help="Store values per query for the first texts.")
    ] = True,
    edges: Annotated[
        str | None,
        typer.Option(
            help="Bytes for the largest edges of the first texts, such as 64MiB.",
            show_default="8MiB",
        ),
    ] = None,
    no_edges: Annotated[bool, typer.Option("--no-edges", help="Store no edges.")] = False,
    control: Annotated[
        list[Control] | None,
        typer.Option(help="Also measure a control; may be repeated."),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=2**63 - 1, help="Random seed for sampling documents and for the controls."
        ),
    ] = 0,
) -> None:
    """Measure a model on a text and store the results in an archive.

    Example: dva-lens measure gpt2 --text notes.txt --out runs/gpt2
    """
    from dva_lens.cli.edges import edge_budget, say_edges
    from dva_lens.cli.findings import say_findings
    from dva_lens.cli.progress import counted, quiet_unless_watched
    from dva_lens.cli.study import say_next
    from dva_lens.statistics.table import EXTENDED, RECORDED
    from dva_lens.study.folder import refuse_foreign

    refuse_foreign(out)
    if text is not None and corpus is not None:
        raise typer.BadParameter("--text and --corpus both choose the text; pass one of them")
    if extended and not EXTENDED:
        raise ValueError("This version has no extended statistics; leave --extended out.")
    opened, written = _texts(text, target, corpus)
    budget = edge_budget(edges, none=no_edges)
    from dva_lens.study.single import MeasureOptions, measure_runs

    quiet_unless_watched()
    statistics = (*RECORDED, *EXTENDED) if extended else RECORDED
    controls = tuple(dict.fromkeys(each.value for each in control or ()))
    options = MeasureOptions(
        statistics,
        length,
        documents,
        backend,
        seed,
        queries,
        controls,
        name,
        target=written,
        **budget,
    )
    with counted("measuring", "windows") as progress:
        labels = measure_runs(out, model, opened, options, progress=progress)
    typer.echo(f"Measured {', '.join(labels.values())} on {opened.name}.")
    say_edges(out, *labels.values())
    say_findings(out, *labels.values())
    if list(labels) == ["encoder"]:
        typer.echo("Its decoder and cross-attention need a target: pass --target.")
    say_next(out)


def _texts(
    text: str | None, target: str | None, corpus: str | None
) -> "tuple[Corpus, Corpus | None]":
    from dva_lens.data.corpus import open_corpus
    from dva_lens.data.pairs import open_pairs

    if target is None:
        return open_corpus(text if text is not None else corpus), None
    if text is None:
        raise typer.BadParameter("--target belongs to --text; pass both")
    return open_pairs(text, target)
