"""`dva-lens export`: the numbers of an archive as tables."""

from collections.abc import Callable
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd

    from dva_lens.results.archive import Archive


class Format(StrEnum):
    """How numbers are written: as tables, or as trees that HeadVis shows."""

    parquet = "parquet"
    csv = "csv"
    headvis = "headvis"


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Archive folder.")],
    *,
    form: Annotated[
        Format,
        typer.Option("--format", help="File format; parquet requires pyarrow, headvis edges."),
    ] = Format.csv,
    out: Annotated[
        Path | None, typer.Option(help="Output folder.", show_default="DIR/export")
    ] = None,
) -> None:
    """Export tables: one per statistic in long format, one of means and one of runs.

    As headvis: a tree per run that keeps edges, for the viewers of HeadVis.

    Example: dva-lens export runs/quick --format csv
    """
    if form is Format.parquet and find_spec("pyarrow") is None:
        raise ModuleNotFoundError(
            "Writing parquet needs the package `pyarrow` (pip install pyarrow); or --format csv."
        )
    from dva_lens.cli.pages import opened, show_left_out
    from dva_lens.results.tables import mean_table, run_table, statistic_tables

    archive = opened(folder)
    target = out or folder / "export"
    target.mkdir(parents=True, exist_ok=True)
    if form is Format.headvis:
        _write_trees(archive, target)
        return
    write = _writer(form)
    write(run_table(archive), target / f"runs.{form}")
    write(mean_table(archive), target / f"means.{form}")
    for name, table in statistic_tables(archive):
        write(table, target / f"{name}.{form}")
    show_left_out(tuple(lost for text in archive.texts for lost in archive.on(text).left_out))
    typer.echo(f"Tables: {target}")


def _write_trees(archive: "Archive", target: Path) -> None:
    """Write a tree for each run whose edges on its main text were kept, and say where.

    Raises
    ------
    ValueError
        No run keeps any.
    """
    from dva_lens.results.edges import WITHOUT, has_edges
    from dva_lens.results.headvis_writing import write_headvis

    written = 0
    for text in archive.main_texts:
        measured = archive.on(text)
        for part in measured.parts:
            edged = archive.dataset(part.label, text)
            if has_edges(edged):
                typer.echo(f"HeadVis: {write_headvis(part, text, edged, target / part.label)}")
                written += 1
    if not written:
        raise ValueError(f"No run of {archive.folder} keeps edges. {WITHOUT}")


def _writer(form: Format) -> "Callable[[pd.DataFrame, Path], Path]":
    from dva_lens.results.tables import write_csv
    from dva_lens.writing import write_whole

    if form is Format.csv:
        return write_csv
    return lambda table, path: write_whole(path, lambda to: table.to_parquet(to, index=False))
