"""`dva-lens measure --dry-run`: what it will take, before anything is done."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from dva_lens.data.documents import Corpus
    from dva_lens.study.single import MeasureOptions


def say_forecast(
    models: list[str], corpus: "Corpus", options: "MeasureOptions", out: Path
) -> None:
    """Print what measuring models on a text will take; nothing is fetched or written.

    Raises
    ------
    FileNotFoundError
        A model is not on this disk.
    """
    from dva_lens.kernels.guard import readable
    from dva_lens.loading import path_of
    from dva_lens.study.forecast import forecast

    held = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in models:
        found = forecast(path_of(name, options.opening.get("revision")), corpus, options)
        for line in found.lines(name, out):
            typer.echo(line)
        if found.memory > held:
            typer.echo(f"  This machine has {readable(held)} of memory, which is too little.")
    typer.echo("Nothing was measured or written (--dry-run).")
