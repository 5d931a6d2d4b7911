"""`dva-lens measure`: one existing model, one text, one archive."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Control(StrEnum):
    """What can be measured beside a text, with what is claimed destroyed."""

    SHUFFLED = "shuffled"
    REPEATED = "repeated"
    RANDOM_INIT = "random-init"


def measure(  # noqa: PLR0913 - one argument per option
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A checkpoint folder, or a Hugging Face name.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder of the archive; an archive gets one more.")],
    text: Annotated[
        str | None, typer.Option(help="File or folder of text (plain, .gz, .xz), or -.")
    ] = None,
    corpus: Annotated[
        str | None,
        typer.Option(
            help="hf:NAME[@CONFIG][:split[:column]]; default: Python's own documentation."
        ),
    ] = None,
    extended: Annotated[
        bool, typer.Option("--extended", help="Measure the extended set of statistics too.")
    ] = False,
    length: Annotated[
        int | None, typer.Option(min=2, help="Cut texts into windows of so many tokens.")
    ] = None,
    documents: Annotated[
        int, typer.Option(min=1, help="Measure at most so many documents of the text.")
    ] = 32,
    backend: Annotated[
        str, typer.Option(help="auto, exact, blocked, fused or reference.")
    ] = "auto",
    queries: Annotated[
        bool, typer.Option(help="Keep the numbers of every query of the first texts.")
    ] = True,
    control: Annotated[
        list[Control] | None,
        typer.Option(help="Measure a control too; give it again for more."),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Decides which documents are taken, and the controls.")
    ] = 0,
) -> None:
    """Measure a model on a text as it is, and keep the result in an archive.

    Example: dva-lens measure gpt2 --text notes.txt --out runs/gpt2
    """
    from dva_lens.cli.progress import counted, quiet_unless_watched
    from dva_lens.cli.study import say_next
    from dva_lens.data.corpus import open_corpus
    from dva_lens.statistics.table import EXTENDED, PRIMARY
    from dva_lens.study.folder import refuse_foreign

    refuse_foreign(out)
    if text is not None and corpus is not None:
        raise typer.BadParameter("--text and --corpus name the same thing; pass one of them")
    if extended and not EXTENDED:
        raise ValueError("This version has no extended statistics; leave --extended out.")
    named = text if text is not None else corpus
    opened = open_corpus(named)
    from dva_lens.study.single import MeasureOptions, measure_into

    quiet_unless_watched()
    statistics = (*PRIMARY, *EXTENDED) if extended else PRIMARY
    controls = tuple(dict.fromkeys(each.value for each in control or ()))
    options = MeasureOptions(statistics, length, documents, backend, seed, queries, controls)
    with counted("measuring", "windows") as progress:
        label = measure_into(out, model, opened, options, progress=progress)
    typer.echo(f"Measured {label} on {opened.name}.")
    say_next(out)
