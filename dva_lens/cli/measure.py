"""`dva-lens measure`: existing models, one text, one archive."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dva_lens.cli.cluster import ClusterOption, check_cluster, measure_spread
from dva_lens.cli.opening import (
    AttentionOption,
    BatchSizeOption,
    ChatOption,
    DeviceMapOption,
    DeviceOption,
    DtypeOption,
    RevisionOption,
    SystemPromptOption,
    opening,
)

if TYPE_CHECKING:
    from dva_lens.data.documents import Corpus
    from dva_lens.study.single import MeasureOptions


class Control(StrEnum):
    """Baselines that destroy the structure of the text or the training of the model."""

    SHUFFLED = "shuffled"
    REPEATED = "repeated"
    RANDOM_INIT = "random-init"


def measure(  # noqa: PLR0913 - one argument per option
    model: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Checkpoint folders, GGUF files or hub names."),
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
        list[str] | None,
        typer.Option(
            help="Name in the archive; repeat it for several models.",
            show_default="the last part of MODEL",
        ),
    ] = None,
    length: Annotated[int | None, typer.Option(min=2, help="Window length in tokens.")] = None,
    documents: Annotated[
        int, typer.Option(min=1, help="Maximum number of documents to measure.")
    ] = 32,
    whole: Annotated[
        bool,
        typer.Option(
            "--whole",
            help="Keep a single document in one piece; default: it is cut into sections that "
            "count as documents.",
        ),
    ] = False,
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
    device: DeviceOption = None,
    dtype: DtypeOption = None,
    device_map: DeviceMapOption = None,
    batch_size: BatchSizeOption = 8,
    revision: RevisionOption = None,
    attention: AttentionOption = None,
    chat: ChatOption = False,
    system_prompt: SystemPromptOption = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Say what it will take in time, memory and disk, and stop."
        ),
    ] = False,
    cluster: ClusterOption = None,
) -> None:
    """Measure models on a text and store the results in an archive.

    Example: dva-lens measure gpt2 --text notes.txt --out runs/gpt2
    """
    from dva_lens.cli.edges import edge_budget
    from dva_lens.cli.findings import say_findings
    from dva_lens.cli.forecast import say_forecast
    from dva_lens.cli.study import say_next
    from dva_lens.statistics.table import EXTENDED, RECORDED
    from dva_lens.study.folder import refuse_foreign

    if cluster is not None:
        check_cluster(cluster)
    refuse_foreign(out)
    if text is not None and corpus is not None:
        raise typer.BadParameter("--text and --corpus both choose the text; pass one of them")
    if extended and not EXTENDED:
        raise ValueError("This version has no extended statistics; leave --extended out.")
    opened, written = _texts(text, target, corpus, whole=whole)
    budget = edge_budget(edges, none=no_edges)
    from dva_lens.study.single import MeasureOptions

    names = _names(model, name)
    statistics = (*RECORDED, *EXTENDED) if extended else RECORDED
    controls = tuple(dict.fromkeys(each.value for each in control or ()))
    options = MeasureOptions(
        statistics, length, documents, backend, seed, queries, controls, None, target=written,
        **budget, batch_size=batch_size, chat=chat, system_prompt=system_prompt,
        opening=opening(
            device=device, dtype=dtype, device_map=device_map, revision=revision,
            attention=attention,
        ),
    )  # fmt: skip
    if dry_run:
        say_forecast(model, opened, options, out)
        return
    named = list(zip(model, names, strict=True))
    labels = (
        _measure_each(named, out, opened, options)
        if cluster is None
        else measure_spread(cluster, named, out, opened, options)
    )
    say_findings(out, *labels)
    say_next(out)


def _measure_each(
    models: "list[tuple[str, str | None]]", out: Path, corpus: "Corpus", options: "MeasureOptions"
) -> list[str]:
    """Measure one model after another into one archive, and return what they are called there."""
    from dva_lens.cli.edges import say_edges
    from dva_lens.cli.progress import counted, quiet_unless_watched
    from dva_lens.study.single import measure_runs

    quiet_unless_watched()
    labels: list[str] = []
    for model, name in models:
        with counted("measuring", "windows") as progress:
            asked = replace(options, name=name)
            found = measure_runs(out, model, corpus, asked, progress=progress)
        labels += found.values()
        typer.echo(f"Measured {', '.join(found.values())} on {corpus.name}.")
        say_edges(out, *found.values())
        if list(found) == ["encoder"]:
            typer.echo("Its decoder and cross-attention need a target: pass --target.")
    return labels


def _names(models: list[str], names: list[str] | None) -> list[str | None]:
    """Return the name of each model in the archive, None where it is that of its file."""
    if names is None:
        return [None] * len(models)
    if len(names) != len(models):
        raise typer.BadParameter(
            f"--name must be passed once for each of {len(models)} models, got {len(names)}"
        )
    return [*names]


def _texts(
    text: str | None, target: str | None, corpus: str | None, *, whole: bool
) -> "tuple[Corpus, Corpus | None]":
    from dva_lens.data.corpus import open_corpus
    from dva_lens.data.pairs import open_pairs

    if target is None:
        return open_corpus(text if text is not None else corpus, whole=whole), None
    if text is None:
        raise typer.BadParameter("--target belongs to --text; pass both")
    if whole:
        raise typer.BadParameter("--whole has no meaning beside --target; leave it out")
    return open_pairs(text, target)
