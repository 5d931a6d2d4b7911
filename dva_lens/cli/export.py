"""`dva-lens export`: the numbers of an archive as tables."""

from collections.abc import Callable
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd


class Format(StrEnum):
    """How tables are written."""

    parquet = "parquet"
    csv = "csv"


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.")],
    *,
    form: Annotated[
        Format, typer.Option("--format", help="parquet needs the package pyarrow.")
    ] = Format.csv,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the tables; DIR/export unless told.")
    ] = None,
) -> None:
    """Write one table per statistic, one row per number, and one table of runs.

    Example: dva-lens export runs/quick --format csv
    """
    if form is Format.parquet and find_spec("pyarrow") is None:
        raise ModuleNotFoundError(
            "Writing parquet needs the package `pyarrow` (pip install pyarrow); or --format csv."
        )
    from dva_lens.cli.pages import warn_of_unreadable
    from dva_lens.results.archive import open_archive
    from dva_lens.results.tables import run_table, statistic_tables

    archive = open_archive(folder)
    warn_of_unreadable(archive.unreadable)
    target = out or folder / "export"
    target.mkdir(parents=True, exist_ok=True)
    write = _writer(form)
    write(run_table(archive), target / f"runs.{form}")
    for name, table in statistic_tables(archive):
        write(table, target / f"{name}.{form}")
    typer.echo(f"Tables: {target}")


def _writer(form: Format) -> "Callable[[pd.DataFrame, Path], None]":
    def write(table: "pd.DataFrame", path: Path) -> None:
        draft = path.with_name(f".{path.name}.partial")
        if form is Format.parquet:
            table.to_parquet(draft, index=False)
        else:
            table.to_csv(draft, index=False)
        draft.replace(path)

    return write
